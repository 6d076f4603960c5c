#pragma once
// Ready marks seen from outside the application: the first top-level window mapped on an X display
// (SubstructureNotify on the root window), or the first byte on its standard output. Times are
// CLOCK_MONOTONIC nanoseconds.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "real/fd.h"

namespace missive::launch {

// A private Xvfb without window manager; ends with the object, and by itself when this process dies
// (its last client is gone: Xserver(1), -terminate). Only this user and the picoprocess's uid 1000
// may connect (server-interpreted access, Xsecurity(7)).
class Display {
 public:
  // Throws NotAvailable (no Xvfb) or RunError (did not come up within 10 s).
  static Display start();
  Display(Display&&) noexcept;
  Display& operator=(Display&&) noexcept;
  ~Display();
  const std::string& name() const;              // ":7"
  const std::filesystem::path& socket() const;  // "/tmp/.X11-unix/X7"

 private:
  struct Impl;
  explicit Display(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Waits for the first window of at least 60 x 40 pixels that is mapped after the watcher was made.
class WindowWatcher {
 public:
  explicit WindowWatcher(const Display& display);
  ~WindowWatcher();
  WindowWatcher(const WindowWatcher&) = delete;
  WindowWatcher& operator=(const WindowWatcher&) = delete;
  // Throws RunError when nothing was mapped before `deadline`, or when `pidfd` (may be -1) ended
  // first.
  std::int64_t wait(std::chrono::milliseconds deadline, int pidfd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Waits for the first byte on `fd`, which is consumed. Throws RunError as WindowWatcher::wait.
std::int64_t wait_for_output(int fd, std::chrono::milliseconds deadline, int pidfd);

}  // namespace missive::launch
