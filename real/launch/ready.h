#pragma once
// Ready marks seen from outside the application: the first top-level window mapped on an X display
// (SubstructureNotify on the root window), or the first byte on its standard output. Times are
// CLOCK_MONOTONIC nanoseconds.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <sys/types.h>

#include "real/fd.h"

namespace missive::launch {

// A private Xvfb without window manager; ends with the object.
class Display {
 public:
  // Throws NotAvailable (no Xvfb) or RunError (did not come up within 10 s).
  static Display start();
  Display(Display&&) noexcept;
  Display& operator=(Display&&) noexcept;
  ~Display();
  const std::string& name() const { return name_; }  // ":7"
  const std::filesystem::path& socket() const { return socket_; }

 private:
  Display() = default;
  std::string name_;
  std::filesystem::path socket_;
  pid_t pid_ = -1;
};

// Waits for the first window of at least 60 x 40 pixels that is mapped after the watcher was made.
class WindowWatcher {
 public:
  explicit WindowWatcher(const Display& display);
  ~WindowWatcher();
  // Throws RunError when nothing was mapped before `deadline`, or when `pidfd` (may be -1) ended
  // first.
  std::int64_t wait(std::chrono::milliseconds deadline, int pidfd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Waits for the first byte on `fd`.
std::int64_t wait_for_output(int fd, std::chrono::milliseconds deadline, int pidfd);

}  // namespace missive::launch
