// The cost models against closed forms.

#include "models/isolation.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "models/isolation/contention.h"

namespace missive {
namespace {

ParameterSet parameters(const std::vector<std::pair<std::string, double>>& values) {
  ParameterSet set;
  for (const auto& [name, value] : values)
    set.set(name, {value, "s", Provenance::measured, "test", value, value, "2020-01-01"});
  return set;
}

constexpr Sharing kWays[] = {Sharing::local,  Sharing::copy,   Sharing::marshalled,
                             Sharing::sealed, Sharing::shared, Sharing::pointer};

// Of the process that makes domains.
constexpr double kPages = 1000;

// Every parameter that any model names, all of the same value.
ParameterSet all_parameters(double value) {
  std::vector<std::pair<std::string, double>> values;
  for (const std::string& m : modelled_mechanisms()) {
    for (const std::string& p : crossing_cost(m)->parameters()) values.emplace_back(p, value);
    for (const std::string& p : creation_cost(m, kPages)->parameters())
      values.emplace_back(p, value);
    if (const auto many = chain_cost(m, 8))
      for (const std::string& p : many->parameters()) values.emplace_back(p, value);
    for (const std::string& p : teardown_cost(m, kPages)->parameters())
      values.emplace_back(p, value);
    for (const std::string& p : storm_cost(m, 2, 2, kPages)->parameters())
      values.emplace_back(p, value);
    for (const double bytes : {64.0, 1e5, 1e7})
      for (const Sharing way : kWays)
        if (const auto shared = sharing_cost(m, way, bytes))
          for (const std::string& p : shared->parameters()) values.emplace_back(p, value);
  }
  return parameters(values);
}

TEST(Composition, IsTheSumOfItsTerms) {
  Composition c("why", {{2, "a"}, {0.5, "b"}});
  EXPECT_DOUBLE_EQ(c.cost(parameters({{"a", 10}, {"b", 4}})), 22);
  c.add(3, c);
  EXPECT_DOUBLE_EQ(c.cost(parameters({{"a", 10}, {"b", 4}})), 88);
  EXPECT_EQ(c.text(), "8 x a + 2 x b");
}

TEST(Composition, WithoutAParameterThereIsNoNumber) {
  const Composition c("", {{1, "a"}, {1, "b"}});
  EXPECT_THROW(c.cost(parameters({{"a", 1}})), InputError);
  EXPECT_THAT(c.missing(parameters({{"a", 1}})), ::testing::ElementsAre("b"));
}

TEST(Composition, RefusesCountsThatAreNone) {
  EXPECT_THROW(Composition("", {{-1, "a"}}), std::invalid_argument);
  EXPECT_THROW(Composition("", {{NAN, "a"}}), std::invalid_argument);
}

TEST(Crossing, OfAPipeIsTwoMessagesAPollAndTwoHandOvers) {
  const auto p = parameters({{"indirect_call.call_s", 1e-9},
                             {"saving_call.call_s", 2e-9},
                             {"table_jump.call_s", 5e-10},
                             {"pipe_message.call_s", 1e-6},
                             {"poll_wait.call_s", 2e-7},
                             {"wake_process.call_s", 1.5e-6}});
  EXPECT_NEAR(crossing_cost("process-pipe")->cost(p), 3.5e-9 + 2e-6 + 2e-7 + 3e-6, 1e-15);
}

TEST(Crossing, OfOneStackAgainAndAgainIsNotThatOfOthersInTurn) {
  auto p = all_parameters(0);
  p.set("stack_switch.call_s", {1e-9, "s", Provenance::measured, "test", 0, 1, ""});
  p.set("stack_switch_in_turn.call_s", {2e-9, "s", Provenance::measured, "test", 0, 1, ""});
  EXPECT_NEAR(crossing_cost("coroutine")->cost(p), 2e-9, 1e-18);
  EXPECT_NEAR(crossing_among("coroutine", 4)->cost(p), 2e-9, 1e-18);
  EXPECT_NEAR(crossing_among("coroutine", 10)->cost(p), 4e-9, 1e-18);
}

TEST(Crossing, OfAPieIsACallOneSavingOfRegistersAndTwoWritesOfTheFsBase) {
  const auto p = all_parameters(1e-9);
  EXPECT_NEAR(crossing_cost("pie")->cost(p) - crossing_cost("call")->cost(p), 4e-9, 1e-15);
}

TEST(Crossing, OfADynamicPieIsThatOfAStaticOne) {
  const auto p = all_parameters(1e-9);
  EXPECT_EQ(crossing_cost("pie-dynamic")->cost(p), crossing_cost("pie")->cost(p));
  EXPECT_GT(creation_cost("pie-dynamic", kPages)->cost(p), creation_cost("pie", kPages)->cost(p));
}

TEST(Crossing, OfASegmentIsTwoFarJumpsSixLoadsAndFourReadingsOfABase) {
  auto p = all_parameters(0);
  p.set("far_jump.call_s", {15e-9, "s", Provenance::measured, "test", 0, 1, ""});
  p.set("segment_load.call_s", {8e-9, "s", Provenance::measured, "test", 0, 1, ""});
  p.set("fs_base_read.call_s", {2e-9, "s", Provenance::measured, "test", 0, 1, ""});
  EXPECT_NEAR(crossing_cost("segment")->cost(p), 86e-9, 1e-15);
}

TEST(Crossing, OfAProcessDiffersFromAThreadsOnlyByWhoIsWoken) {
  auto p = all_parameters(1e-6);
  EXPECT_DOUBLE_EQ(crossing_cost("process-futex")->cost(p), crossing_cost("thread")->cost(p))
      << "as long as a private futex costs what a shared one does";
  p.set("wake_process.call_s", {2e-6, "s", Provenance::measured, "test", 2e-6, 2e-6, ""});
  EXPECT_NEAR(crossing_cost("process-futex")->cost(p) - crossing_cost("thread")->cost(p), 2e-6,
              1e-15);
}

TEST(Crossing, ASleepingServiceElsewhereHasNoModel) {
  EXPECT_FALSE(crossing_cost("process-pipe", true).has_value());
  EXPECT_TRUE(crossing_cost("process-spin", true).has_value());
  EXPECT_TRUE(crossing_cost("call", true).has_value());
}

TEST(Crossing, AmongManyDiffersOnlyWhereASchedulerDecides) {
  auto p = all_parameters(1e-6);
  p.set("wake_many_processes.call_s", {2e-6, "s", Provenance::measured, "test", 2e-6, 2e-6, ""});
  EXPECT_NEAR(
      crossing_among("process-futex", 10)->cost(p) - crossing_among("process-futex", 1)->cost(p),
      2e-6, 1e-15);
  EXPECT_EQ(crossing_among("pie", 10)->cost(p), crossing_cost("pie")->cost(p));
  EXPECT_FALSE(crossing_among("process-spin", 8).has_value());
  EXPECT_TRUE(crossing_among("process-spin", 1).has_value());
}

TEST(Crossing, OfAChainGrowsWithItsLength) {
  const auto p = all_parameters(1e-9);
  for (const std::string& m : modelled_mechanisms())
    if (const auto longer = chain_cost(m, 16)) {
      EXPECT_NEAR(longer->cost(p), 2 * chain_cost(m, 8)->cost(p), 1e-15) << m;
      EXPECT_GT(longer->cost(p), 16 * crossing_cost(m)->cost(p)) << m;
    }
}

TEST(Crossing, AnUnknownMechanismHasNoModel) {
  EXPECT_FALSE(crossing_cost("warp-drive").has_value());
  EXPECT_FALSE(creation_cost("warp-drive", kPages).has_value());
  EXPECT_FALSE(sharing_cost("warp-drive", Sharing::copy, 64).has_value());
  EXPECT_FALSE(domain_footprint("warp-drive").has_value());
}

TEST(Creation, EndsWithTheFirstReply) {
  const auto p = all_parameters(1e-6);
  for (const std::string& m : modelled_mechanisms())
    EXPECT_GT(creation_cost(m, kPages)->cost(p), crossing_cost(m)->cost(p)) << m;
}

TEST(Creation, OfAForkedServiceMeetsItOnItsWayInItsFirstCall) {
  auto p = all_parameters(0);
  p.set("wake_process.call_s", {1e-6, "s", Provenance::measured, "test", 0, 1, ""});
  EXPECT_EQ(creation_cost("process-pipe", kPages)->cost(p), 0)
      << "starting it hands over, there and back";
  EXPECT_NEAR(creation_cost("picoprocess", kPages)->cost(p), 2e-6, 1e-15)
      << "it waits before the call";
}

TEST(Creation, OfAForkGrowsWithThePagesOfItsMakerAndOfOtherDomainsDoesNot) {
  auto p = all_parameters(0);
  const auto set = [&](const char* name, double value) {
    p.set(name, {value, "s", Provenance::measured, "test", 0, 1, ""});
  };
  set("fork_start.item_s", 6e-8), set("process_end.item_s", 5e-8);
  set("namespaces_start.item_s", 6e-8), set("exec_replace.item_s", 4e-8);
  EXPECT_NEAR(creation_cost("process-futex", 3000)->cost(p), 18e-5, 1e-12);
  EXPECT_NEAR(teardown_cost("process-futex", 3000)->cost(p), 15e-5, 1e-12);
  EXPECT_NEAR(creation_cost("picoprocess", 3000)->cost(p), 30e-5, 1e-12);
  EXPECT_EQ(teardown_cost("picoprocess", 3000)->cost(p), 0) << "another program has none of them";
  for (const char* other : {"call", "thread", "pie", "kvm", "wasm-guard"})
    EXPECT_EQ(creation_cost(other, 3000)->cost(p), 0) << other;
}

TEST(Storm, OfOneCreatorIsALifeAndOfTwoOnTwoCpusHalfACrowdedOne) {
  auto p = all_parameters(1e-6);
  const double life = creation_cost("pie", kPages)->cost(p) + teardown_cost("pie", kPages)->cost(p);
  EXPECT_NEAR(storm_cost("pie", 1, 2, kPages)->cost(p), life, 1e-12);
  EXPECT_NEAR(storm_cost("pie", 2, 2, kPages)->cost(p), life / 2, 1e-12) << "nobody waits";
  for (const std::string_view name : kContended)
    for (const char* column : {".call_s", ".item_s"})
      p.set(std::string(name) + "_contended" + column,
            {3e-6, "s", Provenance::measured, "test", 0, 1, ""});
  const double crowded = storm_cost("pie", 2, 2, kPages)->cost(p);
  EXPECT_GT(crowded, life / 2);
  EXPECT_LT(crowded, 3 * life / 2) << "not everything is contended";
  EXPECT_DOUBLE_EQ(storm_cost("pie", 16, 2, kPages)->cost(p), crowded)
      << "no more than the CPUs at once";
}

TEST(Storm, FollowsTheUniversalScalabilityLawBetweenOneCpuAndAll) {
  auto p = all_parameters(1e-6);
  for (const std::string_view name : kContended)
    for (const char* column : {".call_s", ".item_s"})
      p.set(std::string(name) + "_contended" + column,
            {3e-6, "s", Provenance::measured, "test", 0, 1, ""});
  const auto rate = [&](double n) { return 1 / storm_cost("coroutine", n, 8, kPages)->cost(p); };
  const double alone = 1 / rate(1), s = (2 / (rate(2) * alone) - 1);
  for (const double n : {3.0, 5.0, 8.0})
    EXPECT_NEAR(rate(n), n / (alone * (1 + s * (n - 1))), rate(n) * 1e-9) << n;
}

TEST(Storm, OfServicesWithACpuOfTheirOwnHasNoModelWhileOneIsIdle) {
  EXPECT_FALSE(storm_cost("process-pipe", 1, 2, kPages));
  EXPECT_TRUE(storm_cost("process-pipe", 2, 2, kPages));
  EXPECT_TRUE(storm_cost("process-pipe", 1, 1, kPages));
}

// Reading and writing on two CPUs costs lines fetched both ways.
bool remote(const std::string& mechanism) { return mechanism == "process-spin"; }

TEST(Sharing, CostsNothingInPlaceBeyondWritingAndReading) {
  const auto p = all_parameters(1e-9);
  for (const std::string& m : modelled_mechanisms())
    if (const auto shared = sharing_cost(m, Sharing::shared, 1e6); shared && !remote(m)) {
      EXPECT_NEAR(shared->cost(p) - crossing_cost(m)->cost(p), (2 * 1e6 + 4) * 1e-9, 1e-12) << m;
    }
}

TEST(Sharing, ByValueIsACopyForSharedMemoryAndTheKernelsTwoForAPipe) {
  auto p = all_parameters(0);
  p.set("copy_l2.byte_s", {1e-10, "s/byte", Provenance::measured, "test", 0, 1, ""});
  p.set("pipe_message.byte_s", {3e-10, "s/byte", Provenance::measured, "test", 0, 1, ""});
  EXPECT_NEAR(sharing_cost("process-futex", Sharing::copy, 1e5)->cost(p), 1e-5, 1e-15);
  EXPECT_NEAR(sharing_cost("process-pipe", Sharing::copy, 1e5)->cost(p), 3e-5, 1e-15);
  EXPECT_FALSE(sharing_cost("safe-rust", Sharing::copy, 1e5)) << "its reader is other code";
  EXPECT_NEAR(sharing_cost("pie", Sharing::copy, 1e5)->cost(p), 1e-5, 1e-15);
  EXPECT_EQ(sharing_cost("pie", Sharing::pointer, 1e5)->cost(p), 0);
  EXPECT_FALSE(sharing_cost("process-pipe", Sharing::pointer, 1e5));
}

TEST(Sharing, MarshallingAndSealingNeedAServiceOfThisProgram) {
  for (const char* guest : {"pie", "wasm-guard", "kvm", "picoprocess", "safe-rust"}) {
    EXPECT_FALSE(sharing_cost(guest, Sharing::marshalled, 1e5)) << guest;
    EXPECT_FALSE(sharing_cost(guest, Sharing::sealed, 1e5)) << guest;
  }
  EXPECT_TRUE(sharing_cost("process-unix", Sharing::marshalled, 1e5));
}

TEST(Sharing, MarshallingCostsEveryRecordAndEveryByteOfItsForm) {
  auto p = all_parameters(0);
  const auto set = [&](const char* name, double value) {
    p.set(name, {value, "s", Provenance::measured, "test", 0, 1, ""});
  };
  set("parse_l1.item_s", 1e-7);
  EXPECT_NEAR(sharing_cost("call", Sharing::marshalled, 3200)->cost(p), 50e-7, 1e-15);
  set("parse_l2.item_s", 2e-7);
  EXPECT_NEAR(sharing_cost("call", Sharing::marshalled, 128e3)->cost(p), 2000 * 2e-7, 1e-12);
  set("parse_memory.item_s", 3e-7);
  EXPECT_NEAR(sharing_cost("call", Sharing::marshalled, 64e6)->cost(p), 1e6 * 3e-7, 1e-9);
  set("serialise_memory.byte_s", 1e-9);
  EXPECT_NEAR(sharing_cost("call", Sharing::marshalled, 64e6)->cost(p), 0.3 + 71e-3, 1e-9);
  const double half_way = std::sqrt(384000.0 * 2560000), rows = half_way / 64;
  EXPECT_NEAR(sharing_cost("call", Sharing::marshalled, half_way)->cost(p),
              rows * 2.5e-7 + rows * 71 * 0.5e-9, 1e-12);
}

TEST(Sharing, ASealedMessageIsAFileOfWholePagesHandedOverByDescriptor) {
  auto p = all_parameters(0);
  p.set("memory_file_fill.item_s", {1e-6, "s", Provenance::measured, "test", 0, 1, ""});
  EXPECT_NEAR(sharing_cost("call", Sharing::sealed, 4097)->cost(p), 2e-6, 1e-15);
  p.set("descriptor_pass.call_s", {1e-5, "s", Provenance::measured, "test", 0, 1, ""});
  EXPECT_NEAR(sharing_cost("call", Sharing::sealed, 4097)->cost(p), 2e-6, 1e-15);
  EXPECT_NEAR(sharing_cost("process-pipe", Sharing::sealed, 4097)->cost(p), 12e-6, 1e-15);
}

TEST(Sharing, WithoutADomainThereIsNoCrossing) {
  const auto p = all_parameters(1e-9);
  for (const std::string& m : modelled_mechanisms())
    EXPECT_EQ(sharing_cost(m, Sharing::local, 1e5)->cost(p),
              sharing_cost("call", Sharing::local, 1e5)->cost(p));
}

TEST(Sharing, AMessageNobodyReadsCostsItsCopiesOnly) {
  const auto p = all_parameters(1e-9);
  for (const std::string& m : modelled_mechanisms())
    if (const auto read = sharing_cost(m, Sharing::copy, 1e5); read && !remote(m)) {
      // Where the mechanism copies nothing, the caller does.
      const double copied = sharing_cost(m, Sharing::pointer, 1e5) ? 1e5 : 0;
      EXPECT_NEAR(read->cost(p) - message_cost(m, 1e5)->cost(p), (2 * 1e5 + copied + 4) * 1e-9,
                  1e-12)
          << m;
    }
}

TEST(Sharing, BetweenTwoCpusEachLineIsTakenToBeWrittenAndTakenToBeRead) {
  auto p = all_parameters(0);
  p.set("remote_read.byte_s", {1e-10, "s/byte", Provenance::measured, "test", 0, 1, ""});
  p.set("remote_fill.byte_s", {1e-11, "s/byte", Provenance::measured, "test", 0, 1, ""});
  EXPECT_NEAR(sharing_cost("process-spin", Sharing::shared, 1e5)->cost(p), 1.1e-5, 1e-15);
  EXPECT_NEAR(sharing_cost("process-spin", Sharing::copy, 1e5)->cost(p), 1.1e-5, 1e-15);
  EXPECT_NEAR(sharing_cost("process-spin", Sharing::shared, 1e6)->cost(p), 1e-4 + 393216e-11, 1e-15)
      << "the other CPU's caches hold no more of it";
  EXPECT_EQ(message_cost("process-spin", 1e5)->cost(p), 0) << "nobody has read it";
  EXPECT_EQ(sharing_cost("process-futex", Sharing::shared, 1e5)->cost(p), 0) << "one CPU";
}

TEST(Sharing, AMessageThatFillsAPipeChangesSidesAgain) {
  auto p = all_parameters(0);
  p.set("wake_process.call_s", {1e-6, "s", Provenance::measured, "test", 0, 1, ""});
  const auto hand_overs = [&](double bytes) {
    return message_cost("process-pipe", bytes)->cost(p) / 1e-6;
  };
  EXPECT_NEAR(hand_overs(65535), 2, 1e-9);
  EXPECT_NEAR(hand_overs(65536), 4, 1e-9);
  EXPECT_NEAR(hand_overs(1048576), 34, 1e-9);
}

TEST(Sharing, RegimesMeetWithoutAStep) {
  const auto p = parameters(
      {{"copy_l1.byte_s", 1e-11}, {"copy_l2.byte_s", 3e-11}, {"copy_memory.byte_s", 2e-10}});
  for (const Regime& r : kCopyRegimes)
    for (const double at : {r.from, r.to}) {
      const double below = copy_cost(1, at * (1 - 1e-9)).cost(p);
      const double above = copy_cost(1, at * (1 + 1e-9)).cost(p);
      EXPECT_NEAR(below, above, 1e-6 * above) << at;
    }
  double last = 0;
  for (double bytes = 64; bytes < 1e8; bytes *= 1.3) {
    const double cost = copy_cost(1, bytes).cost(p);
    EXPECT_GT(cost, last) << bytes;
    last = cost;
  }
}

TEST(Density, TheSmallestBoundCounts) {
  // 2^47 / 2^33: what guard regions of 8 GiB leave in one process.
  const HostLimits host;
  EXPECT_EQ(density_bound({.address_space = 0x1p33}, host).domains, 16384);
  EXPECT_EQ(density_bound({.address_space = 0x1p33}, host).limit, "address space");
  const auto maps = density_bound({.maps = 5, .address_space = 0x1p20}, host);
  EXPECT_EQ(maps.domains, 13106);
  EXPECT_EQ(maps.limit, "vm.max_map_count");
  EXPECT_TRUE(std::isinf(density_bound({}, host).domains));
  EXPECT_EQ(density_bound(*domain_footprint("segment"), host).domains, 4096);
  EXPECT_EQ(density_bound(*domain_footprint("segment"), host).limit, "segments");
}

TEST(Density, MemoryBoundsTooWhenItIsKnown) {
  HostLimits host;
  host.memory = 0x1p34;  // 16 GiB at 200 KiB each
  EXPECT_EQ(density_bound({.memory = 200 * 1024.0}, host).domains, 83886);
}

TEST(BreakEven, SevenPercentEqualsSwitchesOf129nsAtHalfAMillionASecond) {
  EXPECT_NEAR(break_even_switch_rate(0.07, 129e-9), 542635, 1);
  EXPECT_THROW(break_even_switch_rate(0.07, 0), std::domain_error);
}

}  // namespace
}  // namespace missive
