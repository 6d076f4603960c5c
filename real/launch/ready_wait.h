#pragma once
// Waiting for an application's ready mark, whichever kind it is. Made before the clock starts: a
// launcher is resident.

#include <chrono>
#include <cstdint>
#include <optional>

#include "real/fd.h"
#include "real/launch/application.h"
#include "real/launch/ready.h"

namespace missive::launch {

class ReadyWait {
 public:
  // Throws RunError when the mark is a window and there is no display.
  ReadyWait(const Application& application, const Display* display);
  int output() const { return window_ ? log_.get() : write_.get(); }
  int log() const { return log_.get(); }
  // Nobody but the application holds the writing end from here on.
  void started() { write_.reset(); }
  // When it came (measure::now_ns()). Throws RunError: deadline, or the application ended before.
  std::int64_t wait(std::chrono::milliseconds deadline, int pidfd) {
    return window_ ? window_->wait(deadline, pidfd) : wait_for_output(read_.get(), deadline, pidfd);
  }

 private:
  std::optional<WindowWatcher> window_;
  UniqueFd read_, write_, log_;
};

}  // namespace missive::launch
