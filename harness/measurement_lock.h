#pragma once
// One measurement at a time on a host: two would disturb each other, and neither would know.

#include <memory>

namespace missive::harness {

class MeasurementLock;

// Takes the lock (flock(2) on home()/measure.lock), or shares it when this process holds it
// already; it goes with the last owner, or with the process. Throws RunError when another process
// measures: its pid, and what to do.
std::shared_ptr<MeasurementLock> hold_measurement_lock();

}  // namespace missive::harness
