#pragma once
// A picoprocess: an application in its own mount, pid, network, IPC and UTS namespaces, an
// unprivileged uid, no capability, a seccomp filter, no network but an empty loopback, and none of
// the host's file system: its root is the delivered image, plus private tmpfs for what must be
// writable. namespaces(7), pivot_root(2), seccomp(2), mount_setattr(2).
//
// Two moments, because a launcher creates the process before it has the image (phase create) and
// starts the application once the image is verified (phase boot). Between them the process prepares
// itself, while the launcher looks for the image and verifies it.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "real/fd.h"
#include "real/launch/application.h"
#include "real/launch/mapped_program.h"

namespace missive::launch {

// What the application gets beside its image.
struct Environment {
  std::vector<std::string> command;
  std::vector<std::string> variables;  // "NAME=value", the complete environment
  std::filesystem::path
      x11_socket;  // bound into the picoprocess when not empty (".../.X11-unix/X7")
};

// Empty when this process may make picoprocesses, otherwise what is missing.
std::string picoprocess_unavailable();

// For a user who is not root: makes this process root of a new user namespace (with its own mount
// namespace), in which picoprocesses and deliveries then work, if the host allows it. Does nothing
// for root. Call it early: the process must not have threads yet. Throws NotAvailable.
// user_namespaces(7).
void gain_mount_rights();

class Picoprocess {
 public:
  // Once per program, before the first create(): what all of them share, the seccomp filter and the
  // program of their init.
  static void prepare_program();
  // Starts the process and returns; there it makes its other namespaces and its private mounts,
  // then waits for start(). It is never a copy of this process: of what is in here it has the
  // control socket, and later what start() gives it. Throws NotAvailable when this user may not
  // (says what is missing), RunError otherwise.
  static Picoprocess create();
  Picoprocess(Picoprocess&&) noexcept;
  Picoprocess& operator=(Picoprocess&&) noexcept;
  // Kills every process in it, waits until they are gone; its mounts go with its namespaces. They
  // go as well when the launcher dies in any way: init sees the end of its control socket.
  ~Picoprocess();

  // Waits until the process has prepared itself; returns when that was, measure::now_ns(). start()
  // waits by itself. Throws NotAvailable (namespaces refused) or RunError (the step that failed).
  std::int64_t prepared();

  // `root` is a detached mount (open_tree(2), fsmount(2)) that becomes "/"; it must hold the
  // directories /proc /dev /tmp /run /home /var/tmp. Returns once the application's exec succeeded
  // or throws RunError with the step that failed. `output` becomes the application's stdout, `log`
  // its stderr (owned by the caller). Once only. With `mapped` the application is that program
  // instead of a file of `root`, and this returns once it is mapped.
  void start(const UniqueFd& root, const Environment& environment, int output, int log,
             const MappedProgram* mapped = nullptr);

  pid_t pid() const;  // of its init, in the caller's pid namespace
  int pidfd() const;  // readable once the application has ended
  // Whether the application (or, before start(), its init) still lives. Does not wait.
  bool running();

 private:
  struct Impl;
  explicit Picoprocess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace missive::launch
