#include "models/launch.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "models/cost.h"

namespace missive {
namespace {

// Ten blocks of 4 KiB, small enough to count by hand.
LaunchScenario tiny(Temperature t) {
  LaunchScenario s;
  s.temperature = t;
  s.image.length = {40960};
  s.image.block_size = 4096;
  s.image.blocks = 10;
  s.image.recipe = {400};
  s.image.nodes = {320};
  s.image.files = 3;
  s.image.content = {30000};
  s.image.nodes_other = 7;
  s.image.symlinks = 4;
  s.image.runs = 2;
  s.image.run_bytes = {12000};
  s.image.directories = 2;
  s.image.listed = 6;
  s.image.links = 1;
  s.application.lookups = 20;
  s.batch_blocks = 4;
  s.missing_blocks = t == Temperature::hot ? 0 : 10;
  return s;
}

Amounts amounts_of(const Plan& plan) {
  Amounts sum;
  for (const auto& s : plan.steps) sum += s.amounts;
  return sum;
}

std::set<Phase> phases_of(const Plan& plan) {
  std::set<Phase> phases;
  for (const auto& s : plan.steps) phases.insert(s.phase);
  return phases;
}

std::uint64_t bytes_of(const Plan& plan, const std::string& cost) {
  std::uint64_t bytes = 0;
  for (const auto& step : plan.steps)
    for (const auto& d : step.demands) bytes += d.cost == cost ? d.bytes.count : 0;
  return bytes;
}

std::uint64_t items_of(const Plan& plan, const std::string& cost) {
  std::uint64_t n = 0;
  for (const auto& s : plan.steps)
    for (const auto& d : s.demands)
      if (d.cost == cost) n += d.items;
  return n;
}

TEST(PlanLaunch, a_cold_launch_fetches_recipe_and_every_block_in_batches) {
  const Plan plan = plan_launch(tiny(Temperature::cold));
  const Amounts a = amounts_of(plan);
  EXPECT_EQ(a[Amount::bytes_fetched], 400u + 40960u);
  EXPECT_EQ(a[Amount::blocks_fetched], 10u);
  std::size_t batches = 0;
  for (const auto& s : plan.steps) batches += s.name.ends_with(".keep") ? 1u : 0u;
  EXPECT_EQ(batches, 3u) << "4 + 4 + 2";
}

TEST(PlanLaunch, a_fetch_begins_with_one_connection_to_the_origin) {
  LaunchScenario s = tiny(Temperature::cold);
  s.origin_link = "origin";
  std::size_t before_the_recipe = 0;
  std::uint64_t fetches = 0;
  for (const auto& step : plan_launch(s).steps) {
    for (const auto& d : step.demands) fetches += d.cost == "fetch" ? d.calls : 0;
    if (step.name == "fetch.recipe") break;
    before_the_recipe += step.phase == Phase::fetch && step.transfer ? 1u : 0u;
  }
  EXPECT_EQ(before_the_recipe, 3u) << "there and back for the handshake, and the request";
  EXPECT_EQ(fetches, 1u);
}

TEST(PlanLaunch, an_image_that_was_just_assembled_is_handed_over_by_a_cost_of_its_own) {
  const auto costs = [](Temperature t) {
    std::set<std::string> all;
    for (const auto& step : plan_launch(tiny(t)).steps)
      if (step.phase == Phase::map)
        for (const auto& d : step.demands) all.insert(d.cost);
    return all;
  };
  EXPECT_EQ(costs(Temperature::hot), std::set<std::string>{"hand_over_sealed"});
  EXPECT_EQ(costs(Temperature::cold), std::set<std::string>{"hand_over_assembled"});
}

TEST(PlanLaunch, a_hot_launch_asks_the_origin_for_nothing_and_assembles_nothing) {
  const Plan plan = plan_launch(tiny(Temperature::hot));
  EXPECT_FALSE(phases_of(plan).contains(Phase::fetch));
  EXPECT_FALSE(phases_of(plan).contains(Phase::assemble));
  EXPECT_EQ(amounts_of(plan)[Amount::bytes_fetched], 0u);
}

TEST(PlanLaunch, a_warm_launch_fetches_only_what_is_missing) {
  LaunchScenario s = tiny(Temperature::warm);
  s.missing_blocks = 3;
  EXPECT_EQ(amounts_of(plan_launch(s))[Amount::bytes_fetched], 400u + 3 * 4096u);
}

TEST(PlanLaunch, the_tree_is_hashed_on_first_sight_and_only_the_mac_when_hot) {
  LaunchScenario s = tiny(Temperature::cold);
  s.keyed = true;
  Amounts a = amounts_of(plan_launch(s));
  EXPECT_EQ(a[Amount::bytes_hashed], 40960u);
  EXPECT_EQ(a[Amount::bytes_authenticated], 40960u);
  EXPECT_TRUE(phases_of(plan_launch(s)).contains(Phase::tag_store));

  s = tiny(Temperature::hot);
  s.keyed = true;
  a = amounts_of(plan_launch(s));
  EXPECT_EQ(a[Amount::bytes_hashed], 0u);
  EXPECT_EQ(a[Amount::bytes_authenticated], 40960u);
  EXPECT_FALSE(phases_of(plan_launch(s)).contains(Phase::tag_store));
}

TEST(PlanLaunch, an_unkeyed_launch_never_asks_for_a_tag) {
  for (const auto t : {Temperature::cold, Temperature::warm, Temperature::hot}) {
    const auto phases = phases_of(plan_launch(tiny(t)));
    EXPECT_FALSE(phases.contains(Phase::tag_lookup));
    EXPECT_FALSE(phases.contains(Phase::tag_store));
  }
}

TEST(PlanLaunch, sealed_memory_is_mapped_and_faults_once_copied_memory_does_not) {
  LaunchScenario s = tiny(Temperature::hot);
  EXPECT_EQ(amounts_of(plan_launch(s))[Amount::bytes_mapped], 40960u);
  EXPECT_EQ(amounts_of(plan_launch(s))[Amount::bytes_copied], 0u);
  s.hand_over = HandOver::copy;
  const Plan copied = plan_launch(s);
  EXPECT_EQ(amounts_of(copied)[Amount::bytes_mapped], 0u);
  EXPECT_EQ(amounts_of(copied)[Amount::bytes_copied], 40960u);
  for (const auto& step : copied.steps)
    for (const auto& d : step.demands) EXPECT_NE(d.cost, "map_touch");
}

TEST(PlanLaunch, fuse_lists_directories_before_the_start_and_answers_the_rest_after_it) {
  const Plan plan = plan_launch(tiny(Temperature::hot));
  EXPECT_EQ(items_of(plan, "fuse_directory"), 1u) << "half of two: two threads share the work";
  EXPECT_EQ(items_of(plan, "fuse_list"), 3u);
  EXPECT_EQ(items_of(plan, "fuse_store"), 2u);
  EXPECT_EQ(items_of(plan, "fuse_lookup"), 20u + 1) << "names, and a link";
  EXPECT_EQ(items_of(plan, "image_tree"), 10u);
  EXPECT_EQ(items_of(plan, "plan_ahead"), 4u) << "every link is followed";
  EXPECT_EQ(amounts_of(plan)[Amount::bytes_delivered], 12000u);
}

TEST(PlanLaunch, extract_copies_all_content_and_looks_up_nothing) {
  LaunchScenario s = tiny(Temperature::hot);
  s.delivery = "extract";
  const Plan plan = plan_launch(s);
  EXPECT_EQ(amounts_of(plan)[Amount::bytes_delivered], 30000u);
  EXPECT_EQ(items_of(plan, "extract_node"), 7u);
  EXPECT_EQ(items_of(plan, "fuse_lookup"), 0u);
}

TEST(PlanLaunch, erofs_asks_ahead_and_copies_an_image_only_when_it_is_no_memory_file) {
  LaunchScenario s = tiny(Temperature::hot);
  s.delivery = "erofs";
  const Plan plan = plan_launch(s);
  EXPECT_EQ(amounts_of(plan)[Amount::bytes_delivered], 12000u);
  EXPECT_EQ(items_of(plan, "erofs_view"), 10u);
  EXPECT_EQ(items_of(plan, "fuse_lookup"), 0u);
  EXPECT_EQ(bytes_of(plan, "assemble"), 0u);
  s.hand_over = HandOver::copy;
  EXPECT_EQ(bytes_of(plan_launch(s), "assemble"), 40960u);
}

TEST(PlanLaunch, mmap_delivers_one_program_and_copies_an_image_only_when_it_is_no_memory_file) {
  LaunchScenario s = tiny(Temperature::hot);
  s.delivery = "mmap";
  const Plan plan = plan_launch(s);
  EXPECT_EQ(amounts_of(plan)[Amount::bytes_delivered], 0u);
  EXPECT_EQ(amounts_of(plan)[Amount::files_delivered], 1u);
  EXPECT_EQ(items_of(plan, "image_open"), 10u);
  EXPECT_EQ(items_of(plan, "fuse_lookup"), 0u);
  EXPECT_EQ(bytes_of(plan, "assemble"), 0u);
  s.hand_over = HandOver::copy;
  EXPECT_EQ(bytes_of(plan_launch(s), "assemble"), 40960u);
}

TEST(PlanLaunch, every_plan_is_well_formed_and_names_only_known_costs) {
  for (const auto t : {Temperature::cold, Temperature::warm, Temperature::hot})
    for (const bool keyed : {false, true})
      for (const char* delivery : {"extract", "fuse", "erofs", "mmap"})
        for (const auto h : {HandOver::sealed, HandOver::copy}) {
          LaunchScenario s = tiny(t);
          s.keyed = keyed;
          s.delivery = delivery;
          s.hand_over = h;
          const Plan plan = plan_launch(s);
          EXPECT_NO_THROW(check(plan));
          for (const auto& step : plan.steps)
            for (const auto& d : step.demands) EXPECT_NO_THROW(cost_model(d.cost)) << d.cost;
        }
}

LaunchScenario lazily(Temperature t, bool keyed) {
  LaunchScenario s = tiny(t);
  s.lazy = true;
  s.keyed = keyed;
  s.image.front_blocks = 2;
  s.image.run_blocks = 3;
  s.image.pieces = 5;
  return s;
}

TEST(PlanLaunch, lazily_the_index_comes_first_and_in_the_end_every_block_was_looked_at_once) {
  for (const auto t : {Temperature::cold, Temperature::warm, Temperature::hot})
    for (const bool keyed : {false, true}) {
      const Plan plan = plan_launch(lazily(t, keyed));
      EXPECT_NO_THROW(check(plan));
      const bool tagged = keyed && t == Temperature::hot;
      const Amounts a = amounts_of(plan);
      EXPECT_EQ(a[Amount::blocks_before_start], 2u);
      EXPECT_EQ(a[Amount::blocks_hashed], tagged ? 0u : 10u);
      EXPECT_EQ(a[Amount::bytes_hashed], tagged ? 0u : 40960u);
      EXPECT_EQ(a[Amount::bytes_authenticated], keyed ? 40960u : 0u) << "old tags or new ones";
      EXPECT_EQ(a[Amount::bytes_delivered], 12000u);
      EXPECT_EQ(items_of(plan, tagged ? "block_tag" : "sha256_leaves"), 10u + 3)
          << "three by whoever comes to them first";
      for (const auto& step : plan.steps)
        for (const auto& d : step.demands) EXPECT_NO_THROW(cost_model(d.cost)) << d.cost;
    }
}

StepId id_of(const Plan& plan, const std::string& name) {
  for (StepId id = 0; id < plan.steps.size(); ++id)
    if (plan.steps[id].name == name) return id;
  ADD_FAILURE() << name;
  return StepId{0};
}

TEST(PlanLaunch, lazily_the_start_and_the_thread_behind_it_go_the_same_way_side_by_side) {
  const Plan plan = plan_launch(lazily(Temperature::hot, true));
  const auto after = [&](const std::string& name) { return plan.steps[id_of(plan, name)].after; };
  const auto id = [&](const std::string& name) { return id_of(plan, name); };
  using Steps = std::vector<StepId>;
  EXPECT_EQ(after("background.plan"), Steps{id("boot.deliver")});
  EXPECT_EQ(after("background.names.runs.0"), Steps{id("background.plan")});
  EXPECT_EQ(after("background.ahead.runs.0"), Steps{id("background.names.runs.0")});
  EXPECT_EQ(after("background.names.runs.1"), Steps{id("background.ahead.runs.0")});
  EXPECT_EQ(after("boot.start"), (Steps{id("boot.deliver"), id("create.prepare")}));
  EXPECT_EQ(after("boot.application.read.runs.0"), Steps{id("boot.start")});
  EXPECT_EQ(after("boot.application.runs.0"), Steps{id("boot.application.read.runs.0")});
  EXPECT_EQ(after("boot.application.read.runs.1"), Steps{id("boot.application.runs.0")});
  EXPECT_EQ(after("background.verify"),
            (Steps{id("boot.application.runs.4"), id("background.ahead.runs.4")}))
      << "the rest when it is ready";
}

TEST(PlanLaunch,
     lazily_each_part_of_the_runs_is_brought_once_by_either_and_the_parts_are_the_whole) {
  for (const std::uint64_t pieces : {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1000}}) {
    LaunchScenario s = lazily(Temperature::hot, true);
    s.image.pieces = pieces;
    const Plan plan = plan_launch(s);
    std::map<std::string, std::vector<Phase>> by;
    for (const auto& step : plan.steps)
      if (!step.once.empty()) by[step.once].push_back(step.phase);
    EXPECT_EQ(by.size(), std::clamp<std::size_t>(pieces, 1, 64));
    for (const auto& [part, phases] : by)
      EXPECT_EQ(phases, (std::vector{Phase::background, Phase::boot})) << part;
    EXPECT_EQ(items_of(plan, "fuse_store"), 2 * pieces) << "one thread does the work of two";
    EXPECT_EQ(items_of(plan, "fuse_read"), pieces);
    EXPECT_EQ(items_of(plan, "fuse_list"), 6u);
    EXPECT_EQ(items_of(plan, "fuse_directory"), 2u);
    EXPECT_EQ(items_of(plan, "fuse_lookup"), 20u + 1);
    EXPECT_EQ(items_of(plan, "native_ready"), 1'000'000u);
  }
}

TEST(PlanLaunch, lazily_a_mapped_program_gets_its_pages_by_either_and_no_names) {
  LaunchScenario s = lazily(Temperature::hot, true);
  s.delivery = "mmap";
  const Plan plan = plan_launch(s);
  EXPECT_NO_THROW(check(plan));
  EXPECT_EQ(items_of(plan, "fault_ahead"), 5u);
  EXPECT_EQ(items_of(plan, "fault_answer"), 5u);
  EXPECT_EQ(bytes_of(plan, "fault_answer"), 12000u);
  EXPECT_EQ(items_of(plan, "block_tag"), 10u + 3);
  EXPECT_EQ(items_of(plan, "native_ready"), 1'000'000u);
  for (const char* none : {"fuse_store", "fuse_read", "fuse_list", "fuse_lookup", "fuse_directory",
                           "plan_ahead", "image_tree"})
    EXPECT_EQ(items_of(plan, none), 0u) << none;
  const Amounts a = amounts_of(plan);
  EXPECT_EQ(a[Amount::files_delivered], 1u);
  EXPECT_EQ(a[Amount::bytes_delivered], 12000u);
  EXPECT_EQ(a[Amount::blocks_before_start], 2u);
  EXPECT_EQ(a[Amount::bytes_authenticated], 40960u);
  for (const auto& step : plan.steps)
    for (const auto& d : step.demands) EXPECT_NO_THROW(cost_model(d.cost)) << d.cost;
}

TEST(PlanLaunch, lazily_refuses_what_cannot_be) {
  LaunchScenario s = lazily(Temperature::hot, true);
  s.delivery = "extract";
  EXPECT_THROW(plan_launch(s), std::invalid_argument);
  s = lazily(Temperature::hot, true);
  s.image.run_blocks = 9;
  EXPECT_THROW(plan_launch(s), std::invalid_argument);
}

TEST(PlanLaunch, refuses_a_scenario_that_contradicts_itself) {
  LaunchScenario s = tiny(Temperature::hot);
  s.missing_blocks = 1;
  EXPECT_THROW(plan_launch(s), std::invalid_argument);
  s = tiny(Temperature::cold);
  s.delivery = "pigeon";
  EXPECT_THROW(plan_launch(s), std::invalid_argument);
  s = tiny(Temperature::cold);
  s.image.blocks = 11;
  EXPECT_THROW(plan_launch(s), std::invalid_argument);
}

}  // namespace
}  // namespace missive
