#pragma once
// What the plans of launches are made of: steps in a row, and their demands.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/plan.h"

namespace missive {

// Every step of a launch waits for the one before it, except inside a batch of blocks.
class Chain {
 public:
  explicit Chain(Plan& plan) : plan_(plan) {}
  StepId then(Step step) {
    step.after = ends_;
    const StepId id = plan_.add(std::move(step));
    ends_ = {id};
    return id;
  }
  // A step that starts when the chain has come this far; the chain does not wait for it until
  // join().
  StepId beside(Step step) {
    step.after = ends_;
    return plan_.add(std::move(step));
  }
  void join(StepId other) { ends_.push_back(other); }
  void go_on_after(std::vector<StepId> ends) { ends_ = std::move(ends); }
  // Two steps that both start when the chain has come this far; the chain goes on when both are
  // done.
  void then_together(Step a, Step b) {
    a.after = b.after = ends_;
    ends_ = {plan_.add(std::move(a)), plan_.add(std::move(b))};
  }

 private:
  Plan& plan_;
  std::vector<StepId> ends_;
};

inline Step step(std::string name, Phase phase, Place place, std::vector<Demand> demands) {
  Step s;
  s.name = std::move(name);
  s.phase = phase;
  s.place = place;
  s.demands = std::move(demands);
  return s;
}

inline Demand calls(std::string cost, std::uint64_t n = 1) { return {std::move(cost), n, {}, 0}; }
inline Demand items(std::string cost, std::uint64_t n) { return {std::move(cost), 0, {}, n}; }

}  // namespace missive
