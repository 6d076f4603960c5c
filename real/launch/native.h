#pragma once
// The native twin: the same application started from an unpacked tree, without cache and without
// picoprocess. It gets the same user, environment, private /tmp, /run, /home, /dev and display as
// in a picoprocess (both have the same init, init_protocol.h) and a read-only root, but no
// namespaces of its own beside the mount table, no capability or system-call filter. All
// preparation is done before start(), so the time from start() to the ready mark is the
// application's own.

#include <filesystem>
#include <memory>

#include <sys/types.h>

#include "real/launch/picoprocess.h"

namespace missive::launch {

class NativeTwin {
 public:
  // Prepares a supervisor process and its mounts. `tree` is the unpacked root. Throws NotAvailable
  // or RunError.
  static NativeTwin prepare(const std::filesystem::path& tree,
                            const std::filesystem::path& x11_socket);
  NativeTwin(NativeTwin&&) noexcept;
  NativeTwin& operator=(NativeTwin&&) noexcept;
  // Kills the application and all its descendants, waits until they are gone (the supervisor is
  // their sub-reaper: prctl(2)). They go as well when the launcher dies.
  ~NativeTwin();

  // As Picoprocess::start(); `environment.x11_socket` was bound by prepare() and is ignored here.
  void start(const Environment& environment, int output, int log);

  int pidfd() const;  // readable once the application has ended
  bool running();

 private:
  struct Impl;
  explicit NativeTwin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace missive::launch
