// The cells, on a mechanism that does what the test wants and on two real ones. Nothing here
// depends on how long anything takes, except that a sleep takes at least as long as it says.

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/domains/cells/creation.h"
#include "real/domains/cells/density.h"
#include "real/domains/cells/execution.h"
#include "real/domains/cells/instructions.h"
#include "real/domains/cells/memory.h"
#include "real/domains/cells/sharing.h"
#include "real/domains/cells/switch.h"
#include "real/domains/message.h"
#include "real/measure/time_stamp.h"
#include "real/process.h"

namespace missive::domains {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::HasSubstr;
using testing::SizeIs;

// What the fake mechanism does, and what was done with it.
struct Script {
  std::atomic<int> alive{0}, made{0}, most{0}, calls{0};
  int room = 1 << 30;  // creation fails with this many alive
  milliseconds create{0}, call{0}, first_call{0}, destroy{0};
  milliseconds after{0};  // the service has answered, until its reply is back
  bool wrong_answers = false;
  int dies_at = -1;  // the domain made as number so-and-so answers with a fault
  bool shares = true;
  bool no_clock = false;  // refuses to tell the time
};
Script* script = nullptr;

class FakeDomain final : public Domain {
 public:
  explicit FakeDomain(const DomainOptions& o)
      : limit_(o.max_message), shared_(script->shares ? o.shared_bytes : 0) {
    number_ = script->made++;
    script->most = std::max(script->most.load(), ++script->alive);
    std::this_thread::sleep_for(script->create);
  }
  ~FakeDomain() override {
    std::this_thread::sleep_for(script->destroy);
    --script->alive;
  }
  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    ++script->calls;
    if (!lies_in(request, shared_)) check_message("fake", request.size(), reply.size(), limit_);
    if (number_ == script->dies_at) throw DomainFault("fake: it died");
    if (script->no_clock && entry == Entry::clock) throw InputError("fake: refused");
    std::this_thread::sleep_for(first_ ? script->first_call : script->call);
    first_ = false;
    const std::size_t n =
        checked_answer("fake",
                       native_service(static_cast<std::int32_t>(entry), as_bytes(request),
                                      request.size(), as_bytes(reply), reply.size()),
                       reply.size());
    if (script->wrong_answers && n > 0) reply[0] ^= std::byte{1};
    if (script->after.count() > 0) std::this_thread::sleep_for(script->after);
    return n;
  }
  std::span<std::byte> shared() override { return shared_; }

 private:
  std::size_t limit_;
  std::vector<std::byte> shared_;
  int number_ = 0;
  bool first_ = true;
};

Mechanism fake() {
  Mechanism m;
  m.name = "fake";
  m.same_process = true;
  m.unavailable = [] { return std::string(); };
  m.create = [](const DomainOptions& o) -> std::unique_ptr<Domain> {
    if (script->alive >= script->room) throw RunError("fake: no more room");
    return std::make_unique<FakeDomain>(o);
  };
  return m;
}

class Cells : public testing::Test {
 protected:
  Cells() { script = &script_; }
  ~Cells() override {
    EXPECT_EQ(script_.alive, 0) << "a domain was left";
    script = nullptr;
  }
  Script script_;
};

SwitchOptions brief_switch() {
  SwitchOptions o;
  o.batches = 3;
  o.batch_seconds = 1e-5;
  o.chain = {2, 5};
  o.round_robin = {1, 8};
  o.pollute_bytes = 4096;
  return o;
}

TEST_F(Cells, SwitchGivesOneValueForEachBatch) {
  const CellResult r = measure_switch(fake(), brief_switch());
  EXPECT_EQ(r.mechanism, "fake");
  EXPECT_EQ(r.stopped_by, "");
  EXPECT_THAT(r.at("switch.round_trip", "hot").values, SizeIs(3));
  EXPECT_THAT(r.at("switch.round_trip", "polluted").values, SizeIs(3));
  EXPECT_THAT(r.at("switch.chain", "", 2).values, SizeIs(3));
  EXPECT_THAT(r.at("switch.chain", "", 5).values, SizeIs(3));
  for (const char* order : {"ordered", "random"})
    EXPECT_THAT(r.at("switch.round_robin", order, 8).values, Each(Ge(0.0)));
  EXPECT_EQ(script_.most, 8) << "domains are reused, not piled up";
}

TEST_F(Cells, ARoundTripLastsAtLeastAsLongAsTheDomainTakesAndAChainOnceForEachHop) {
  script_.call = script_.first_call = milliseconds(1);
  const CellResult r = measure_switch(fake(), brief_switch());
  EXPECT_THAT(r.at("switch.round_trip", "hot").values, Each(Ge(1e-3)));
  EXPECT_THAT(r.at("switch.chain", "", 5).values, Each(Ge(5e-3)));
  EXPECT_THAT(r.at("switch.round_robin", "ordered", 8).values, Each(Ge(1e-3)));
}

TEST_F(Cells, SwitchKeepsWhatItHasWhenTheHostHasNoMoreDomains) {
  script_.room = 4;
  const CellResult r = measure_switch(fake(), brief_switch());
  EXPECT_EQ(r.stopped_by, "fake: no more room");
  EXPECT_NO_THROW(r.at("switch.chain", "", 2));
  EXPECT_THROW(r.at("switch.chain", "", 5), std::out_of_range);
}

TEST_F(Cells, CreationTellsCreatingFirstCallAndTeardownApart) {
  script_.create = milliseconds(2);
  script_.first_call = milliseconds(3);
  script_.destroy = milliseconds(1);
  CreationOptions o;
  o.repetitions = 3;
  o.sustained = 2;
  const CellResult r = measure_creation(fake(), o);
  EXPECT_THAT(r.at("creation.create").values, Each(Ge(2e-3)));
  EXPECT_THAT(r.at("creation.first_call").values, Each(Ge(5e-3)));
  EXPECT_THAT(r.at("creation.teardown").values, Each(Ge(1e-3)));
  EXPECT_THAT(r.at("creation.sustained").values, AllOf(SizeIs(3), Each(Ge(6e-3))));
  EXPECT_THAT(r.at("creation.create").values, SizeIs(3)) << "warm-up is not counted";
  EXPECT_EQ(script_.made, 2 + 3 + 3 * 2);
}

TEST_F(Cells, AStormCreatesAtOnceAndCountsAllOfThem) {
  script_.create = milliseconds(5);
  CreationOptions o;
  o.repetitions = 5;
  o.warm_up = 0;
  o.sustained = 0;
  o.creators = {3};
  o.per_creator = 2;
  const CellResult r = measure_creation(fake(), o);
  EXPECT_THAT(r.at("creation.storm", "", 3).values, AllOf(SizeIs(1), Each(Ge(10e-3 / 6))));
  EXPECT_EQ(script_.made, 5 + 6);
  EXPECT_GT(script_.most, 1) << "one after another is no storm";
}

TEST_F(Cells, AStormThatHitsALimitThrowsAndLeavesNothing) {
  script_.room = 2;
  script_.create = milliseconds(5);
  CreationOptions o;
  o.repetitions = 1;
  o.creators = {8};
  EXPECT_THROW(measure_creation(fake(), o), RunError);
}

ExecutionOptions brief_execution() {
  ExecutionOptions o;
  o.repetitions = 2;
  o.batch_seconds = 1e-5;
  o.request_bytes = 1024;
  return o;
}

TEST_F(Cells, ExecutionTakesTheCrossingOff) {
  script_.call = script_.first_call =
      milliseconds(2);  // crossing only: the kernels take microseconds
  ExecutionOptions o = brief_execution();
  o.kernels = {Entry::hash};
  const CellResult r = measure_execution(fake(), o);
  const auto& crossing = r.at("execution.crossing", "hash", 1024).values;
  const auto& domain = r.at("execution.domain", "hash", 1024).values;
  const auto& native = r.at("execution.native", "hash", 1024).values;
  const auto& slowdown = r.at("execution.slowdown", "hash", 1024).values;
  EXPECT_THAT(crossing, Each(Ge(2e-3)));
  for (std::size_t i = 0; i < slowdown.size(); ++i)
    EXPECT_DOUBLE_EQ(slowdown[i], (domain[i] - crossing[i]) / native[i]);
}

TEST_F(Cells, ExecutionRefusesToTimeWrongReplies) {
  script_.wrong_answers = true;
  try {
    measure_execution(fake(), brief_execution());
    FAIL();
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("another reply than the native kernel"));
  }
}

TEST_F(Cells, InstructionsThatCannotBeCountedSayWhy) {
  InstructionOptions o;
  o.kernels = {Entry::hash};
  for (const char* name : {"process-pipe", "thread", "pie"}) {
    const CellResult r = measure_instructions(mechanism(name), o);
    const Series& s = r.at("execution.instructions", "hash", o.request_bytes);
    EXPECT_THAT(s.values, testing::IsEmpty()) << name;
    EXPECT_THAT(s.note, HasSubstr("not counted: ")) << name;
  }
}

TEST_F(Cells, InstructionsAreTheSameEveryTime) {
  // The program, which understands "domains counted", stands beside its tests.
  InstructionOptions o;
  o.program = std::filesystem::canonical("/proc/self/exe").parent_path() / "missive-sim";
  const Mechanism& m = mechanism("call");
  if (const std::string why = instructions_unavailable(m); !why.empty()) GTEST_SKIP() << why;
  if (!std::filesystem::exists(o.program)) GTEST_SKIP() << "missive-sim is not built here";
  o.kernels = {Entry::sum};
  const CellResult first = measure_instructions(m, o), again = measure_instructions(m, o);
  const auto value = [](const CellResult& r, const char* metric) {
    return r.at(metric, "sum", 32 * 1024).values.at(0);
  };
  for (const char* metric : {"execution.instructions", "execution.instructions_native"})
    EXPECT_EQ(value(first, metric), value(again, metric)) << metric;
  // A plain call runs the same code, give or take what the interface's checks take.
  EXPECT_NEAR(value(first, "execution.instruction_ratio"), 1, 0.01);
  EXPECT_GT(value(first, "execution.instructions_native"), 32 * 1024 / 8)
      << "eight bytes at a time";
}

TEST_F(Cells, AServiceThatRefusesToTellTheTimeHasNoOneWayAndSaysSo) {
  script_.no_clock = true;
  const CellResult r = measure_switch(fake(), brief_switch());
  for (const char* way : {"there", "back"}) {
    EXPECT_THAT(r.at("switch.one_way", way).values, testing::IsEmpty());
    EXPECT_THAT(r.at("switch.one_way", way).note, HasSubstr("not measured: "));
  }
}

TEST_F(Cells, OneWayIsTimedOnBothSidesOfTheService) {
  if (!measure::time_stamp_unusable().empty()) GTEST_SKIP() << measure::time_stamp_unusable();
  SwitchOptions o = brief_switch();
  o.batches = 1;
  const auto way = [&](const char* which) {
    return measure_switch(fake(), o).at("switch.one_way", which).values;
  };
  // Sleeping takes no less than it is asked to; where it counts says which way is which.
  script_.call = script_.first_call = milliseconds(1);
  EXPECT_THAT(way("there"), AllOf(SizeIs(1), Each(Ge(0.9e-3))));
  script_.call = script_.first_call = milliseconds(0);
  script_.after = milliseconds(1);
  EXPECT_THAT(way("back"), AllOf(SizeIs(1), Each(Ge(0.9e-3))));
}

SharingOptions brief_sharing() {
  SharingOptions o;
  o.repetitions = 2;
  o.batch_seconds = 1e-5;
  o.sizes = {64, 100'032};
  return o;
}

TEST_F(Cells, SharingMeasuresEveryWayThereIs) {
  const CellResult r = measure_sharing(fake(), brief_sharing());
  for (const char* way : {"local", "copy", "marshalled", "sealed", "shared"})
    for (const std::uint64_t size : {64U, 100'032U})
      EXPECT_THAT(r.at("sharing.message", way, size).values, SizeIs(2));
  script_.shares = false;
  const CellResult without = measure_sharing(fake(), brief_sharing());
  EXPECT_NO_THROW(without.at("sharing.message", "copy", 64));
  EXPECT_THROW(without.at("sharing.message", "shared", 64), std::out_of_range);
}

TEST_F(Cells, SharingRefusesAReceiverThatDidNotReadEverything) {
  script_.wrong_answers = true;
  EXPECT_THROW(measure_sharing(fake(), brief_sharing()), RunError);
}

TEST_F(Cells, DensityCountsDomainsThatAnswer) {
  DensityOptions o;
  o.domains = 25;
  o.leave_free = 0;
  o.probes = 5;
  const CellResult r = measure_density(fake(), o);
  EXPECT_EQ(r.stopped_by, "");
  EXPECT_EQ(r.at("density.alive").values, std::vector<double>{25});
  for (const std::uint64_t at : {1U, 10U, 25U}) {
    EXPECT_THAT(r.at("density.probe", "", at).values, SizeIs(5));
    EXPECT_NO_THROW(r.at("density.pss_per_domain", "", at));
    EXPECT_NO_THROW(r.at("density.create", "", at));
  }
  EXPECT_EQ(script_.most, 25);
}

TEST_F(Cells, DensitySaysWhichLimitEndedItAndFreesEverything) {
  script_.room = 17;
  DensityOptions o;
  o.domains = 100;
  o.leave_free = 0;
  const CellResult r = measure_density(fake(), o);
  EXPECT_EQ(r.stopped_by, "fake: no more room");
  EXPECT_EQ(r.at("density.alive").values, std::vector<double>{17});
}

TEST_F(Cells, ADomainThatDoesNotAnswerIsNotCounted) {
  script_.dies_at = 6;
  DensityOptions o;
  o.domains = 100;
  o.leave_free = 0;
  const CellResult r = measure_density(fake(), o);
  EXPECT_EQ(r.stopped_by, "fake: it died");
  EXPECT_EQ(r.at("density.alive").values, std::vector<double>{6});
}

TEST_F(Cells, DensityStopsBeforeTheHostRunsOutOfMemory) {
  DensityOptions o;
  o.leave_free = ~0ULL;
  const CellResult r = measure_density(fake(), o);
  EXPECT_THAT(r.stopped_by, HasSubstr("memory: less than"));
  EXPECT_EQ(r.at("density.alive").values, std::vector<double>{0});
  EXPECT_EQ(script_.made, 0);
}

TEST_F(Cells, ResultsSurviveTheWayThroughAChildProcess) {
  SwitchOptions o = brief_switch();
  const CellResult direct{"fake", {{"switch.chain", "v", 7, "s", {1e-9, 0.1, 3}}}, "a \"limit\""};
  const CellResult r =
      cell_from_json(run_in_child([&] { return to_json(direct); }, milliseconds(10'000), "test"));
  EXPECT_EQ(r.stopped_by, direct.stopped_by);
  EXPECT_EQ(r.at("switch.chain", "v", 7).values, direct.series[0].values);
  EXPECT_EQ(r.at("switch.chain", "v", 7).unit, "s");
  const CellResult measured = cell_from_json(run_in_child(
      [&] { return to_json(measure_switch(fake(), o)); }, milliseconds(60'000), "test"));
  EXPECT_THAT(measured.at("switch.chain", "", 5).values, SizeIs(3));
  EXPECT_THROW(cell_from_json("{}"), InputError);
  EXPECT_THROW(cell_from_json("not json"), InputError);
}

// Every cell, once, on mechanisms of both kinds, in a child as the harness runs them.
class RealCells : public testing::TestWithParam<const char*> {};

TEST_P(RealCells, AllOfThemAnswerAndLeaveNoProcess) {
  const Mechanism& m = mechanism(GetParam());
  const std::string outcome = run_in_child(
      [&] {
        SwitchOptions s = brief_switch();
        measure_switch(m, s);
        CreationOptions c;
        c.repetitions = 2;
        c.sustained = 2;
        c.creators = {2};
        c.per_creator = 2;
        measure_creation(m, c);
        measure_execution(m, brief_execution());
        measure_sharing(m, brief_sharing());
        DensityOptions d;
        d.domains = 12;
        d.leave_free = 0;
        const CellResult r = measure_density(m, d);
        if (!r.stopped_by.empty()) return r.stopped_by;
        return std::string(::waitpid(-1, nullptr, WNOHANG) < 0 ? "fine" : "a process was left");
      },
      milliseconds(60'000), GetParam());
  EXPECT_EQ(outcome, "fine");
}

INSTANTIATE_TEST_SUITE_P(Here, RealCells, testing::Values("call", "process-pipe"),
                         [](const auto& which) {
                           return std::string(which.param).substr(0, which.param[0] == 'c' ? 4 : 7);
                         });

TEST(Memory, PssSeesWhatIsTouchedAndWhatProcessesBelowTouch) {
  const std::uint64_t before = pss_of_tree();
  std::vector<char> mine(8 << 20, 1);
  EXPECT_GE(pss_of_tree(), before + (7 << 20));
  DomainOptions options;
  options.max_message = 32 << 20;
  const auto domain = mechanism("process-unix").create(options);
  std::vector<std::byte> request(16 << 20, std::byte{1}), reply(8);
  const std::uint64_t alone = pss_of_tree();
  domain->call(Entry::sum, request, reply);  // fills 16 MiB of the service's own memory
  EXPECT_GE(pss_of_tree(), alone + (15 << 20));
}

TEST(Memory, NamesTheLimitThatIsNearlyMet) {
  const std::string limits = run_in_child(
      [] {
        const rlimit few{8, 8};
        ::setrlimit(RLIMIT_NOFILE, &few);
        int last = -1;
        for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) last = fd;
        ::close(last);  // none that was there before: one of them carries the answer
        return limits_nearly_met();
      },
      milliseconds(10'000), "test");
  EXPECT_THAT(limits, HasSubstr("RLIMIT_NOFILE: "));
}

}  // namespace
}  // namespace missive::domains
