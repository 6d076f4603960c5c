// A launcher against a cache and an origin that fail, lie or stay silent. The application is a
// program of a few bytes that says "ready", so that nothing has to be downloaded.

#include "real/launch/launcher.h"

#include <csignal>
#include <fstream>
#include <memory>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "real/cache/server.h"
#include "real/launch/picoprocess.h"
#include "real/measure/scratch.h"
#include "real/measure/tiny_program.h"
#include "real/origin/boot_block.h"
#include "real/origin/server.h"
#include "real/process.h"
#include "real/zar/builder.h"
#include "real/zar/extract.h"

namespace missive::launch {
namespace {

namespace fs = std::filesystem;
using cache::wire::Message;
using std::chrono::milliseconds;

class LauncherTest : public ::testing::Test {
 protected:
  LauncherTest() : scratch_(measure::scratch_parent()) {}

  void SetUp() override {
    if (const auto why = picoprocess_unavailable(); !why.empty()) GTEST_SKIP() << why;
    const fs::path tree = scratch_.path() / "tree";
    fs::create_directories(tree / "bin");
    std::string program = measure::tiny_program("ready\n");
    program.resize(4096);  // a page of its own in the image, as delivery mmap needs it
    write(tree / "bin" / "ready", program, true);
    // Enough content for a few blocks, none of them zeros.
    std::string content;
    for (int i = 0; content.size() < 300'000; ++i)
      content += "line " + std::to_string(i * 7919) + "\n";
    write(tree / "content", content, false);
    report_ = zar::build(tree, {}, {}, scratch_.path() / "image.zar");
    publish(report_.recipe);

    request_.application = {"tiny", {}, {"/bin/ready"}, ReadyMark::first_output, ""};
    request_.vendor = origin::public_key(key_);
    request_.boot_block = boot_block();
    request_.secret = {};
    request_.deadline = milliseconds(1500);
  }

  static void write(const fs::path& file, const std::string& text, bool executable) {
    std::ofstream(file, std::ios::binary) << text;
    fs::permissions(file, executable ? fs::perms(0755) : fs::perms(0644));
  }

  std::vector<std::byte> boot_block() const {
    return origin::sign({"tiny", 1, report_.name, report_.recipe.shape}, key_);
  }

  void publish(const zar::Recipe& recipe) {
    origin_ = std::make_unique<origin::OriginProcess>(std::vector<origin::Publication>{
        {"tiny", scratch_.path() / "image.zar", recipe, boot_block()}});
    request_.origin_url = origin_->url();
  }

  void start_cache(const cache::Misbehaviour& misbehaviour = {}, std::uint64_t disk_limit = 0) {
    cache_.reset();
    cache::CacheProcess::Options options;
    options.socket = scratch_.path() / "cache.socket";
    options.store = scratch_.path() / ("store-" + std::to_string(++stores_));
    options.server.service.origin_url = origin_->url();
    options.server.service.misbehaviour = misbehaviour;
    options.server.store.disk_limit = disk_limit;
    cache_ = std::make_unique<cache::CacheProcess>(options);
    request_.cache_socket = options.socket;
  }

  // The application ran, although the cache did not do its part.
  static void expect_detour(const LaunchOutcome& outcome, const std::string& word) {
    ASSERT_EQ(outcome.detours.size(), 1u);
    EXPECT_NE(outcome.detours.front().find(word), std::string::npos) << outcome.detours.front();
    EXPECT_EQ(outcome.records.back().step, "boot.application");
  }

  // Each record begins where the one before it ended; beside them the picoprocess prepares
  // itself, for which the start may have to wait. Returns the end.
  static Picos expect_tiled(const std::vector<Record>& records) {
    Picos at{0}, process{0};
    for (const auto& r : records) {
      EXPECT_GE(r.end, r.start) << r.step;
      if (r.phase == Phase::background) continue;
      if (r.step == "create.prepare") {
        process = r.end;
        continue;
      }
      EXPECT_EQ(r.start, r.step == "boot.start" ? std::max(at, process) : at) << r.step;
      at = r.end;
    }
    EXPECT_GT(process, Picos{0});
    return at;
  }

  measure::ScratchDirectory scratch_;
  origin::SigningKey key_ = origin::make_signing_key();
  zar::BuildReport report_;
  std::unique_ptr<origin::OriginProcess> origin_;
  std::unique_ptr<cache::CacheProcess> cache_;
  int stores_ = 0;
  LaunchRequest request_;
};

TEST_F(LauncherTest, a_cold_launch_fetches_everything_and_its_records_tile_it) {
  start_cache();
  const auto outcome = launch(request_);
  EXPECT_TRUE(outcome.detours.empty());
  expect_tiled(outcome.records);
  const Amounts a = total_amounts(outcome.records);
  EXPECT_EQ(a[Amount::blocks_fetched], report_.recipe.shape.blocks());
  EXPECT_EQ(a[Amount::bytes_assembled], report_.recipe.shape.length);
  EXPECT_EQ(a[Amount::files_delivered], report_.files);
}

TEST_F(LauncherTest, the_second_launch_is_hot_and_checks_the_tag_alone) {
  start_cache();
  request_.keyed = true;
  launch(request_);
  const Amounts a = total_amounts(launch(request_).records);
  EXPECT_EQ(a[Amount::bytes_fetched], 0u);
  EXPECT_EQ(a[Amount::bytes_hashed], 0u);
  EXPECT_EQ(a[Amount::bytes_authenticated], report_.recipe.shape.length);
}

TEST_F(LauncherTest, every_delivery_and_hand_over_starts_the_application) {
  start_cache();
  for (const auto& d : deliveries()) {
    if (const auto why = d.unavailable(); !why.empty()) continue;
    for (const auto h : {HandOver::sealed, HandOver::copy}) {
      request_.delivery = d.name;
      request_.hand_over = h;
      EXPECT_TRUE(launch(request_).detours.empty()) << d.name << ' ' << to_string(h);
    }
  }
}

TEST_F(LauncherTest, eight_launches_at_once_from_one_cache_are_all_verified) {
  start_cache();
  request_.keyed = true;
  launch(request_);
  const ChildWork one{[this] {
                        const LaunchOutcome outcome = launch(request_);
                        const Amounts a = total_amounts(outcome.records);
                        return std::to_string(outcome.detours.size()) + " detours, " +
                               std::to_string(a[Amount::bytes_authenticated]) + " bytes";
                      },
                      "one launch of eight"};
  for (const std::string& answer :
       run_in_children(std::vector<ChildWork>(8, one), milliseconds(20000)))
    EXPECT_EQ(answer, "0 detours, " + std::to_string(report_.recipe.shape.length) + " bytes");
}

TEST_F(LauncherTest, a_boot_block_of_another_vendor_is_refused_before_anything_runs) {
  start_cache();
  request_.vendor = origin::public_key(origin::make_signing_key());
  EXPECT_THROW(launch(request_), InputError);
}

TEST_F(LauncherTest, a_flipped_bit_sends_the_launcher_to_the_origin) {
  start_cache({.flip_bit = 8 * 70'000});
  expect_detour(launch(request_), "refused");
}

TEST_F(LauncherTest, memory_that_is_not_sealed_is_not_used) {
  start_cache({.unsealed = true});
  expect_detour(launch(request_), "seal");
}

TEST_F(LauncherTest, an_image_of_another_length_is_not_used) {
  start_cache({.extra_length = 4096});
  expect_detour(launch(request_), "origin directly");
}

TEST_F(LauncherTest, a_tag_that_is_nonsense_only_costs_the_tree) {
  start_cache({.garbage_tags = true});
  request_.keyed = true;
  const auto outcome = launch(request_);
  expect_detour(outcome, "tag");
  EXPECT_EQ(total_amounts(outcome.records)[Amount::bytes_hashed], report_.recipe.shape.length);
}

TEST_F(LauncherTest, a_cache_that_dies_in_mid_transfer_is_done_without) {
  start_cache({.die_after_fetched_bytes = 100'000});
  expect_detour(launch(request_), "cache failed");
}

TEST_F(LauncherTest, a_cache_that_never_answers_is_waited_for_no_longer_than_the_deadline) {
  for (const auto silent :
       {Message::lookup, Message::fetch, Message::assemble, Message::get_sealed}) {
    start_cache({.never_answer = silent});
    expect_detour(launch(request_), "cache failed");
  }
}

TEST_F(LauncherTest, a_cache_that_dies_at_any_message_is_done_without) {
  for (const auto last : {Message::lookup, Message::fetch, Message::assemble, Message::get_sealed,
                          Message::get_tag}) {
    start_cache({.die_at = last});
    request_.keyed = true;
    expect_detour(launch(request_), "cache failed");
  }
}

TEST_F(LauncherTest, a_cache_whose_disk_is_full_is_done_without) {
  start_cache({}, 100'000);
  expect_detour(launch(request_), "cache failed");
}

TEST_F(LauncherTest, no_cache_at_all_is_done_without) {
  request_.cache_socket = scratch_.path() / "nobody";
  expect_detour(launch(request_), "cache failed");
}

TEST_F(LauncherTest, an_origin_with_another_recipe_cannot_pass_it_off_as_the_signed_images) {
  zar::Recipe lie = report_.recipe;
  lie.leaves[1].bytes[0] ^= std::byte{1};
  publish(lie);
  start_cache();
  EXPECT_THROW(launch(request_), RunError);
}

TEST_F(LauncherTest, without_cache_and_origin_there_is_one_clear_error) {
  start_cache({.never_answer = Message::lookup});
  origin_->kill_now();
  try {
    launch(request_);
    FAIL() << "launched from nothing";
  } catch (const RunError& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("cannot launch tiny"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << "one line";
  }
}

TEST_F(LauncherTest, an_application_that_ends_before_its_ready_mark_is_an_error) {
  start_cache();
  request_.application.command = {"/content"};  // not a program
  EXPECT_THROW(launch(request_), RunError);
}

// Lazily: what was verified before the start, and what in all.
TEST_F(LauncherTest, a_lazy_launch_verifies_the_index_first_and_in_the_end_everything) {
  start_cache();
  request_.verification = "lazy";
  for (const bool keyed : {false, true}) {
    request_.keyed = keyed;
    const auto first = launch(request_), second = launch(request_);
    for (const auto* outcome : {&first, &second}) {
      EXPECT_TRUE(outcome->detours.empty());
      const Amounts a = total_amounts(outcome->records);
      EXPECT_EQ(a[Amount::blocks_before_start], 1u) << "one block holds the index of this image";
      EXPECT_EQ(a[Amount::files_delivered], report_.files);
    }
    const Amounts one = total_amounts(first.records), two = total_amounts(second.records);
    const std::uint64_t length = report_.recipe.shape.length;
    EXPECT_EQ(one[Amount::bytes_hashed], length);
    EXPECT_EQ(one[Amount::bytes_authenticated], keyed ? length : 0) << "the new tags";
    EXPECT_EQ(two[Amount::bytes_hashed], keyed ? 0 : length);
    EXPECT_EQ(two[Amount::bytes_authenticated], keyed ? length : 0);
  }
}

TEST_F(LauncherTest, what_a_lazy_launch_verifies_before_the_start_does_not_grow_with_the_image) {
  request_.verification = "lazy";
  std::vector<std::uint64_t> lengths, before;
  for (const std::size_t bytes : {std::size_t{300'000}, std::size_t{16'000'000}}) {
    std::string content;
    while (content.size() < bytes) content += std::to_string(content.size()) + '\n';
    write(scratch_.path() / "tree" / "content", content, false);
    report_ = zar::build(scratch_.path() / "tree", {}, {}, scratch_.path() / "image.zar");
    publish(report_.recipe);
    request_.boot_block = boot_block();
    start_cache();
    const auto outcome = launch(request_);
    EXPECT_TRUE(outcome.detours.empty());
    lengths.push_back(report_.recipe.shape.length);
    before.push_back(total_amounts(outcome.records)[Amount::blocks_before_start]);
  }
  EXPECT_GT(lengths[1], 20 * lengths[0]);
  EXPECT_EQ(before, (std::vector<std::uint64_t>{1, 1}));
}

TEST_F(LauncherTest, the_records_of_a_lazy_launch_tile_it_up_to_its_ready_mark) {
  start_cache();
  request_.verification = "lazy";
  const auto outcome = launch(request_);
  EXPECT_EQ(total_time(outcome.records), expect_tiled(outcome.records))
      << "a launch ends with its ready mark";
}

TEST_F(LauncherTest, a_lazy_launch_that_is_lied_to_starts_again_from_the_origin) {
  for (const bool keyed : {false, true})
    for (const std::uint64_t byte : {70'000, 200'000}) {  // the second is read by nobody
      start_cache({.flip_bit = 8 * byte});
      request_.verification = "lazy";
      request_.keyed = keyed;
      const auto outcome = launch(request_);
      expect_detour(outcome, "the application ended");
      EXPECT_EQ(total_amounts(outcome.records)[Amount::bytes_hashed] >= report_.recipe.shape.length,
                true)
          << "the second time all of it came first";
    }
}

TEST_F(LauncherTest, block_tags_that_are_nonsense_only_cost_the_tree) {
  start_cache({.garbage_tags = true});
  request_.verification = "lazy";
  request_.keyed = true;
  launch(request_);  // stores tags, which come back as nonsense
  const auto outcome = launch(request_);
  ASSERT_EQ(outcome.detours.size(), 1u);
  EXPECT_NE(outcome.detours.front().find("tags were refused"), std::string::npos);
  EXPECT_EQ(total_amounts(outcome.records)[Amount::bytes_hashed], report_.recipe.shape.length);
}

TEST_F(LauncherTest, a_delivery_that_needs_everything_cannot_be_lazy) {
  request_.verification = "lazy";
  request_.delivery = "extract";
  EXPECT_THROW(launch(request_), InputError);
  request_.verification = "later";
  EXPECT_THROW(launch(request_), InputError);
}

TEST_F(LauncherTest, the_native_twin_runs_from_the_unpacked_image) {
  const UniqueFd fd(::open((scratch_.path() / "image.zar").c_str(), O_RDONLY | O_CLOEXEC));
  const Mapping memory = Mapping::read_only(fd.get(), report_.recipe.shape.length, "image");
  const fs::path unpacked = scratch_.path() / "unpacked";
  fs::create_directory(unpacked);
  zar::extract(zar::Image::open(memory.bytes(), "image"), unpacked);
  const auto outcome = launch_native(request_.application, unpacked, nullptr, milliseconds(5000));
  ASSERT_EQ(outcome.records.size(), 1u);
  EXPECT_EQ(outcome.records.front().phase, Phase::boot);
}

}  // namespace
}  // namespace missive::launch
