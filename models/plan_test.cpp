#include "models/plan.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace missive {
namespace {

Step step(std::string name, std::vector<StepId> after = {}) {
  Step s;
  s.name = std::move(name);
  s.after = std::move(after);
  return s;
}

Record record(Phase phase, std::int64_t start, std::int64_t end) {
  Record r;
  r.phase = phase;
  r.start = Picos{start};
  r.end = Picos{end};
  return r;
}

TEST(Plan, AddReturnsTheIndexOfTheStep) {
  Plan plan;
  EXPECT_EQ(plan.add(step("a")), 0u);
  EXPECT_EQ(plan.add(step("b", {0})), 1u);
  EXPECT_NO_THROW(check(plan));
}

TEST(Plan, WorkThatIsDoneOnceTransfersNothing) {
  Plan plan;
  plan.add(step("a"));
  plan.steps[0].once = "work";
  EXPECT_NO_THROW(check(plan));
  plan.steps[0].transfer = Transfer{"wan", Bytes{1}};
  EXPECT_THROW(check(plan), std::logic_error);
}

TEST(Plan, WaitingForItselfOrALaterStepIsADefect) {
  Plan itself, later;
  itself.add(step("a", {0}));
  later.add(step("a", {1}));
  later.add(step("b"));
  EXPECT_THROW(check(itself), std::logic_error);
  EXPECT_THROW(check(later), std::logic_error);
}

TEST(Plan, NamesAreUniqueAndNotEmpty) {
  Plan twice, none;
  twice.add(step("a"));
  twice.add(step("a"));
  none.add(step(""));
  EXPECT_THROW(check(twice), std::logic_error);
  EXPECT_THROW(check(none), std::logic_error);
}

TEST(Plan, PhaseTimeIsTheUnionOfItsIntervals) {
  const std::vector<Record> records{record(Phase::fetch, 10, 30), record(Phase::fetch, 20, 40),
                                    record(Phase::lookup, 0, 100), record(Phase::fetch, 22, 25),
                                    record(Phase::fetch, 50, 60)};
  EXPECT_EQ(phase_time(records, Phase::fetch).count(), 40);
  EXPECT_EQ(phase_time(records, Phase::boot).count(), 0);
}

TEST(Plan, PhasesThatRunAtOnceAddUpToTheTotal) {
  const std::vector<Record> records{
      record(Phase::create, 0, 10),  record(Phase::create, 10, 45),
      record(Phase::lookup, 12, 20), record(Phase::verify, 20, 40),
      record(Phase::boot, 45, 60),   record(Phase::background, 5, 90)};
  EXPECT_EQ(phase_time(records, Phase::create).count(), 10 + 2 + 5);
  EXPECT_EQ(phase_time(records, Phase::lookup).count(), 8);
  EXPECT_EQ(phase_time(records, Phase::verify).count(), 20);
  EXPECT_EQ(phase_time(records, Phase::boot).count(), 15);
  EXPECT_EQ(phase_time(records, Phase::background).count(), 85);
  EXPECT_EQ(total_time(records).count(), 60);
}

TEST(Plan, TotalTimeIsFirstStartToLastEnd) {
  EXPECT_EQ(total_time({}).count(), 0);
  EXPECT_EQ(total_time({record(Phase::boot, 30, 90), record(Phase::create, 5, 20)}).count(), 85);
}

TEST(Plan, AmountsAddUp) {
  Record a, b;
  a.amounts[Amount::bytes_fetched] = 3;
  b.amounts[Amount::bytes_fetched] = 4;
  b.amounts[Amount::bytes_delivered] = 9;
  const Amounts sum = total_amounts({a, b});
  EXPECT_EQ(sum[Amount::bytes_fetched], 7u);
  EXPECT_EQ(sum[Amount::bytes_delivered], 9u);
  EXPECT_EQ(sum[Amount::bytes_hashed], 0u);
}

TEST(Plan, EveryNameIsItsOwn) {
  std::set<std::string> phases, amounts;
  for (Phase p : kPhases) phases.insert(to_string(p));
  for (std::size_t i = 0; i < kAmounts; ++i) amounts.insert(to_string(static_cast<Amount>(i)));
  EXPECT_EQ(phases.size(), kPhases.size());
  EXPECT_EQ(amounts.size(), kAmounts);
  EXPECT_THROW(to_string(static_cast<Amount>(kAmounts)), std::logic_error);
}

}  // namespace
}  // namespace missive
