#include "real/cache/single_flight.h"

#include "models/error.h"

namespace missive::cache {

void SingleFlight::land(const zar::Digest& key, Flight& flight) {
  flight.landed = true;
  flights_.erase(key);
  landed_.notify_all();
}

bool SingleFlight::run(const zar::Digest& key, const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  const auto [found, first] = flights_.try_emplace(key);
  if (first) found->second = std::make_shared<Flight>();
  const std::shared_ptr<Flight> flight = found->second;
  if (!first) {
    waiting_ += 1;
    landed_.wait(lock, [&] { return flight->landed; });
    waiting_ -= 1;
    if (flight->failed) throw RunError(flight->why);
    return false;
  }
  lock.unlock();
  try {
    work();
  } catch (const std::exception& e) {
    lock.lock();
    flight->failed = true;
    flight->why = e.what();
    land(key, *flight);
    throw;
  }
  lock.lock();
  land(key, *flight);
  return true;
}

std::uint64_t SingleFlight::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

}  // namespace missive::cache
