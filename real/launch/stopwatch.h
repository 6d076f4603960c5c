#pragma once
// Cuts a launch into records.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/plan.h"
#include "real/measure/clock.h"

namespace missive::launch {

class Stopwatch {
 public:
  Stopwatch() : zero_(measure::now_ns()), last_(zero_) {}
  // A record from the end of the last one to now, so that there are no gaps.
  void mark(std::string step, Phase phase, Place place, const Amounts& amounts = {}) {
    mark_at(measure::now_ns(), std::move(step), phase, place, amounts);
  }
  void mark_at(std::int64_t end, std::string step, Phase phase, Place place,
               const Amounts& amounts = {}) {
    add(last_, end, std::move(step), phase, place, amounts);
    last_ = end;
  }
  // One of something that went on beside the others, and for which the launch has waited: until now
  // if it ended after the last record, which the next one then follows.
  void add_beside(std::int64_t start, std::int64_t end, std::string step, Phase phase,
                  Place place) {
    const std::int64_t until = end > last_ ? measure::now_ns() : end;
    add(start, until, std::move(step), phase, place, {});
    last_ = std::max(last_, until);
  }
  // One of something that went on beside the others.
  void add(std::int64_t start, std::int64_t end, std::string step, Phase phase, Place place,
           const Amounts& amounts) {
    records_.push_back(
        {std::move(step), phase, place, since_zero(start), since_zero(end), amounts});
  }
  std::vector<Record> take() { return std::move(records_); }

 private:
  Picos since_zero(std::int64_t t) const { return std::chrono::nanoseconds(t - zero_); }
  std::int64_t zero_, last_;
  std::vector<Record> records_;
};

}  // namespace missive::launch
