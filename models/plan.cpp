#include "models/plan.h"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace missive {

std::string to_string(Phase phase) {
  switch (phase) {
    case Phase::create:
      return "create";
    case Phase::lookup:
      return "lookup";
    case Phase::fetch:
      return "fetch";
    case Phase::assemble:
      return "assemble";
    case Phase::map:
      return "map";
    case Phase::tag_lookup:
      return "tag_lookup";
    case Phase::verify:
      return "verify";
    case Phase::tag_store:
      return "tag_store";
    case Phase::boot:
      return "boot";
    case Phase::background:
      return "background";
  }
  throw std::logic_error("a phase outside its enumeration");
}

std::string to_string(Place place) {
  switch (place) {
    case Place::launcher:
      return "launcher";
    case Place::cache:
      return "cache";
    case Place::origin:
      return "origin";
    case Place::application:
      return "application";
  }
  throw std::logic_error("a place outside its enumeration");
}

std::string to_string(Amount amount) {
  switch (amount) {
    case Amount::bytes_fetched:
      return "bytes_fetched";
    case Amount::blocks_fetched:
      return "blocks_fetched";
    case Amount::bytes_assembled:
      return "bytes_assembled";
    case Amount::bytes_mapped:
      return "bytes_mapped";
    case Amount::bytes_copied:
      return "bytes_copied";
    case Amount::bytes_hashed:
      return "bytes_hashed";
    case Amount::blocks_hashed:
      return "blocks_hashed";
    case Amount::bytes_authenticated:
      return "bytes_authenticated";
    case Amount::blocks_before_start:
      return "blocks_before_start";
    case Amount::files_delivered:
      return "files_delivered";
    case Amount::bytes_delivered:
      return "bytes_delivered";
  }
  throw std::logic_error("an amount outside its enumeration");
}

Amounts& Amounts::operator+=(const Amounts& other) {
  for (std::size_t i = 0; i < kAmounts; ++i) values_[i] += other.values_[i];
  return *this;
}

StepId Plan::add(Step step) {
  steps.push_back(std::move(step));
  return steps.size() - 1;
}

void check(const Plan& plan) {
  std::set<std::string> names;
  for (StepId id = 0; id < plan.steps.size(); ++id) {
    const Step& step = plan.steps[id];
    if (step.name.empty()) throw std::logic_error("step " + std::to_string(id) + " has no name");
    if (!names.insert(step.name).second)
      throw std::logic_error("two steps are called '" + step.name + "'");
    for (StepId before : step.after)
      if (before >= id)
        throw std::logic_error("step '" + step.name + "' waits for step " + std::to_string(before) +
                               ", which is not an earlier one");
    if (!step.once.empty() && step.transfer)
      throw std::logic_error("step '" + step.name + "' has a transfer, and work that is done once");
  }
}

namespace {

// Length of the union of the intervals of records that `counts`.
template <typename Predicate>
Picos covered(const std::vector<Record>& records, Predicate counts) {
  std::vector<std::pair<Picos, Picos>> intervals;
  for (const Record& record : records)
    if (counts(record.phase)) intervals.emplace_back(record.start, record.end);
  std::sort(intervals.begin(), intervals.end());
  Picos sum{}, reached = Picos::min();
  for (const auto& [start, end] : intervals) {
    const Picos from = std::max(start, reached);
    if (end > from) sum += end - from;
    reached = std::max(reached, end);
  }
  return sum;
}

}  // namespace

Picos phase_time(const std::vector<Record>& records, Phase phase) {
  if (phase == Phase::background)
    return covered(records, [](Phase p) { return p == Phase::background; });
  const auto later = [&](Phase p) { return p > phase && p != Phase::background; };
  return covered(records, [&](Phase p) { return p == phase || later(p); }) -
         covered(records, later);
}

Picos total_time(const std::vector<Record>& records) {
  if (records.empty()) return Picos{};
  Picos first = Picos::max(), last = Picos::min();
  for (const Record& record : records) {
    if (record.phase == Phase::background) continue;
    first = std::min(first, record.start);
    last = std::max(last, record.end);
  }
  return last < first ? Picos{} : last - first;
}

Amounts total_amounts(const std::vector<Record>& records) {
  Amounts sum;
  for (const Record& record : records) sum += record.amounts;
  return sum;
}

}  // namespace missive
