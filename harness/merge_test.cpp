#include "harness/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/experiment_kind.h"
#include "harness/output_dir.h"
#include "harness/result_files.h"
#include "harness/result_fixture.h"
#include "harness/result_reader.h"
#include "harness/resume.h"
#include "harness/shard.h"

namespace missive::harness {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// The made-up result of shard I of `of`, as a run of it would give it.
Part made_up_shard(std::size_t index, std::size_t of) {
  Experiment e = small_experiment();
  const Experiment whole = e;
  keep_shard(e, {index, of});
  Result result = empty_result(e);
  std::vector<PointData> data;
  for (std::size_t i = 0; i < e.points.size(); ++i) {
    const std::size_t place = (index - 1) + i * of;
    PointData d = made_up_point(place, 0.010 * static_cast<double>(place + 1), 0.2, 0.05,
                                1'000'000 * (place + 1));
    d.point = i;
    data.push_back(std::move(d));
  }
  compare(e, data, made_up_parameters(), result);
  result.context = Json{{"cpu", "x"}, {"version", "1"}, {"date", std::to_string(index)}};
  return {"shard" + std::to_string(index), std::move(result)};
}

std::vector<Part> made_up_shards(std::size_t of) {
  std::vector<Part> parts;
  for (std::size_t i = 1; i <= of; ++i) parts.push_back(made_up_shard(i, of));
  return parts;
}

std::string without_context(const Result& result) {
  Json json = to_json(result);
  json.erase("context");
  return json.dump(2);
}

TEST(Shard, EveryPointIsInExactlyOne) {
  const Experiment whole = small_experiment();
  std::multiset<std::string> ids;
  for (std::size_t i = 1; i <= 3; ++i) {
    Experiment e = whole;
    keep_shard(e, {i, 3});
    ASSERT_EQ(e.points.size(), e.grid.size());
    for (std::size_t p = 0; p < e.grid.size(); ++p) {
      EXPECT_EQ(e.points[p].id, e.grid[p].id);
      ids.insert(e.grid[p].id);
    }
    EXPECT_EQ(e.effective, whole.effective);
  }
  EXPECT_EQ(ids.size(), whole.grid.size());
  for (const ExperimentPoint& point : whole.grid) EXPECT_EQ(ids.count(point.id), 1U);
}

TEST(Shard, WhatIsNoShardIsRefused) {
  EXPECT_EQ(parse_shard("2/4").index, 2U);
  EXPECT_EQ(parse_shard("2/4").of, 4U);
  for (const char* text : {"", "2", "0/4", "5/4", "2/4x", "a/b", "/4", "2/", "-1/4", "1/0"})
    EXPECT_THAT(error_of([&] { parse_shard(text); }), HasSubstr("counted from 1")) << text;
  Experiment e = small_experiment();
  EXPECT_THAT(error_of([&] { keep_shard(e, {1, 5}); }), HasSubstr("only 4 points"));
}

TEST(Shard, IsolationPointsCanBeKept) {
  use_source_data();
  Experiment e = make_experiment(JsonSource::parse(
      R"({"format": "missive-sim/experiment/1", "name": "t", "kind": "isolation",
          "mechanisms": ["call", "thread", "coroutine"], "cells": ["switch", "creation"]})",
      "t.json"));
  ASSERT_EQ(e.grid.size(), 6U);
  const std::string third = e.grid[2].id;
  keep_points(e, {2, 3});
  ASSERT_EQ(e.grid.size(), 2U);
  EXPECT_EQ(e.grid[0].id, third);
}

TEST(Merge, ShardsGiveTheBytesOfTheWhole) {
  Result whole = made_up_result(small_experiment());
  for (const std::size_t of : {1U, 2U, 3U, 4U}) {
    std::vector<Part> parts = made_up_shards(of);
    std::reverse(parts.begin(), parts.end());  // whatever order they are named in
    const Result merged = merge(parts);
    EXPECT_EQ(without_context(merged), without_context(whole)) << of;
    EXPECT_EQ(observations_csv(merged), observations_csv(whole)) << of;
    EXPECT_EQ(merged.context["merged_from"].size(), of);
  }
}

TEST(Merge, MissingAndOverlappingShardsAreNamed) {
  std::vector<Part> parts = made_up_shards(4);
  parts.pop_back();
  EXPECT_THAT(error_of([&] { merge(parts); }),
              AllOf(HasSubstr("1 of 4 points"), HasSubstr("hot mac")));
  parts = made_up_shards(2);
  parts.push_back(made_up_shard(1, 4));
  EXPECT_THAT(error_of([&] { merge(parts); }),
              AllOf(HasSubstr("is also in shard1"), HasSubstr("cold sha256")));
}

TEST(Merge, PartsOfOtherRunsAreRefused) {
  const auto refusal = [](const std::function<void(Result&)>& change) {
    std::vector<Part> parts = made_up_shards(2);
    change(parts[1].result);
    return error_of([&] { merge(parts); });
  };
  EXPECT_THAT(refusal([](Result& r) { r.sha256[0] ^= 1; }), HasSubstr("another experiment file"));
  EXPECT_THAT(refusal([](Result& r) { r.seed = 7; }), HasSubstr("another seed (7, there 1)"));
  EXPECT_THAT(refusal([](Result& r) { r.effective["tolerance"]["phase"] = 0.3; }),
              HasSubstr("/tolerance/phase"));
  EXPECT_THAT(refusal([](Result& r) { r.context["version"] = "2"; }), HasSubstr("version"));
  EXPECT_THAT(refusal([](Result& r) { r.context["cpu"] = "y"; }), HasSubstr("another host (cpu)"));
  EXPECT_THAT(refusal([](Result& r) { r.context["parameters_sha256"] = "f"; }),
              HasSubstr("--parameters"));
  EXPECT_THAT(refusal([](Result& r) { r.summary.interrupted = true; }), HasSubstr("--resume"));
  EXPECT_THAT(refusal([](Result& r) {
                Parameter p = r.parameters_used.at("sha256_tree.byte_s");
                p.value *= 2;
                r.parameters_used.set("sha256_tree.byte_s", p);
              }),
              AllOf(HasSubstr("sha256_tree.byte_s"), HasSubstr("--parameters FILE")));
  EXPECT_EQ(refusal([](Result&) {}), "no error");
}

// The shipped parameters and facts, so that it can run on any host.
Experiment model_experiment() {
  use_source_data();
  return make_experiment(JsonSource::parse(
      R"({"format": "missive-sim/experiment/1", "name": "m", "kind": "launch", "backend": "sim",
          "application": "python3", "warm_with": "python3", "parameters": {"from": "reference"},
          "sweep": {"/temperature": ["cold", "hot"], "/verifier": ["sha256", "mac"],
                    "/origin_link/rtt": ["1ms", "5ms"]}})",
      "m.json"));
}

TEST(Resume, AStoppedRunGivesTheBytesOfOneThatWasNot) {
  const Experiment e = model_experiment();
  const Json context{{"version", "1"}};
  const TemporaryFolder folder;
  const OutputDir whole(folder.path() / "whole"), stopped(folder.path() / "stopped");
  const Result all = experiment_kind(e.kind).run(e, {whole.path(), 1, nullptr, nullptr});

  // A run that was killed after three points leaves these files and no result.
  Experiment some = e;
  keep_points(some, {0, 1, 5});
  run_resumable(some, stopped, {false, {stopped.path(), 1, nullptr, nullptr}, context});
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(stopped.path() / "points"))
    files += entry.path().extension() == ".json" ? 1 : 0;
  ASSERT_EQ(files, 3U);

  const Result resumed =
      run_resumable(e, stopped, {true, {stopped.path(), 1, nullptr, nullptr}, context});
  EXPECT_EQ(without_context(resumed), without_context(all));
  EXPECT_EQ(observations_csv(resumed), observations_csv(all));
  EXPECT_FALSE(resumed.summary.interrupted);
}

TEST(Resume, FinishedPointsAreNotRunAgainAndOthersRunsPointsAreRefused) {
  const Experiment e = model_experiment();
  const TemporaryFolder folder;
  const OutputDir out(folder.path());
  const ResumeOptions options{true, {out.path(), 1, nullptr, nullptr}, Json{{"version", "1"}}};
  run_resumable(e, out, options);
  // A mark in a finished point comes through: it was read, not run.
  const auto file = out.path() / "points" / (e.grid[2].id + ".json");
  Json json = Json::parse(read_text(file));
  json["result"]["points"][0]["metrics"][0]["note"] = "read back";
  write_atomically(file, json.dump());
  EXPECT_EQ(run_resumable(e, out, options).points[2].metrics[0].note, "read back");

  ResumeOptions other = options;
  other.context["version"] = "2";
  EXPECT_THAT(error_of([&] { run_resumable(e, out, other); }), HasSubstr("version"));
  write_atomically(file, "{\"schema\"");
  EXPECT_THAT(error_of([&] { run_resumable(e, out, options); }), HasSubstr(e.grid[2].id));
  remove_points(out);
  EXPECT_EQ(run_resumable(e, out, options).points[2].metrics[0].note, "");
}

}  // namespace
}  // namespace missive::harness
