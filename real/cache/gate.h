#pragma once
// Admission of so many units at once, in the order of arrival: nobody who asks for much is passed
// by those who ask for little.

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace missive::cache {

class Gate {
 public:
  explicit Gate(std::uint64_t most) : most_(most) {}

  // Some of the units, given back when this goes.
  class Pass {
   public:
    Pass(Pass&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), units_(other.units_) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(gate_, other.gate_);
      std::swap(units_, other.units_);
      return *this;
    }
    ~Pass() {
      if (gate_ != nullptr) gate_->leave(units_);
    }

   private:
    friend class Gate;
    Pass(Gate* gate, std::uint64_t units) : gate_(gate), units_(units) {}
    Gate* gate_;
    std::uint64_t units_;
  };

  // Waits until all who came before are in and `units` are free. More than there are count as all
  // of them: such a one goes in alone. Throws RunError once stop() was called.
  Pass enter(std::uint64_t units = 1);
  // Without waiting, or nothing.
  std::optional<Pass> try_enter(std::uint64_t units = 1);
  // Wakes all who wait. For good.
  void stop();

  // How many wait, and how many are in.
  std::uint64_t waiting() const;
  std::uint64_t inside() const;

 private:
  void leave(std::uint64_t units);
  Pass take(std::uint64_t units);

  const std::uint64_t most_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::uint64_t taken_ = 0, inside_ = 0;
  std::uint64_t next_ticket_ = 0, admitted_ = 0;  // the ticket `admitted_` is the next to go in
  bool stopped_ = false;
};

}  // namespace missive::cache
