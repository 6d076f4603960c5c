#include "real/cache/gate.h"

#include <algorithm>

#include "models/error.h"

namespace missive::cache {

Gate::Pass Gate::take(std::uint64_t units) {
  taken_ += units;
  inside_ += 1;
  return {this, units};
}

Gate::Pass Gate::enter(std::uint64_t units) {
  units = std::min(units, most_);
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = next_ticket_++;
  changed_.wait(lock, [&] { return stopped_ || (ticket == admitted_ && units <= most_ - taken_); });
  if (stopped_) throw RunError("the cache is being stopped");
  admitted_ += 1;
  changed_.notify_all();  // the next in the queue may fit too
  return take(units);
}

std::optional<Gate::Pass> Gate::try_enter(std::uint64_t units) {
  units = std::min(units, most_);
  const std::lock_guard lock(mutex_);
  if (stopped_ || next_ticket_ != admitted_ || units > most_ - taken_) return std::nullopt;
  return take(units);
}

void Gate::leave(std::uint64_t units) {
  const std::lock_guard lock(mutex_);
  taken_ -= units;
  inside_ -= 1;
  changed_.notify_all();
}

void Gate::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

std::uint64_t Gate::waiting() const {
  const std::lock_guard lock(mutex_);
  return next_ticket_ - admitted_;
}

std::uint64_t Gate::inside() const {
  const std::lock_guard lock(mutex_);
  return inside_;
}

}  // namespace missive::cache
