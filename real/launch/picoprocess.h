#pragma once
// A picoprocess: an application in its own mount, pid, network, IPC and UTS namespaces, an
// unprivileged uid, no capability, a seccomp filter, no network but an empty loopback, and none of
// the host's file system: its root is the delivered image, plus private tmpfs for what must be
// writable. namespaces(7), pivot_root(2), seccomp(2), mount_setattr(2).
//
// Two moments, because a launcher creates the process before it has the image (phase create) and
// starts the application once the image is verified (phase boot).

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "real/fd.h"
#include "real/launch/application.h"

namespace missive::launch {

// What the application gets beside its image.
struct Environment {
  std::vector<std::string> command;
  std::vector<std::string> variables;  // "NAME=value", the complete environment
  std::filesystem::path
      x11_socket;  // bound into the picoprocess when not empty (".../.X11-unix/X7")
};

class Picoprocess {
 public:
  // Clones the process into its namespaces and prepares its private mounts; it then waits for
  // start(). Throws NotAvailable when this user may not (says what is missing), RunError otherwise.
  static Picoprocess create();
  Picoprocess(Picoprocess&&) noexcept;
  Picoprocess& operator=(Picoprocess&&) noexcept;
  // Kills every process in it, waits until they are gone; its mounts go with its namespaces.
  ~Picoprocess();

  // `root` is a detached mount (open_tree(2), fsmount(2)) that becomes "/". Returns once the
  // application's exec succeeded or throws RunError with the step that failed. `output` becomes the
  // application's stdout, `log` its stderr (owned by the caller).
  void start(const UniqueFd& root, const Environment& environment, int output, int log);

  pid_t pid() const { return pid_; }  // of its init, in the caller's pid namespace
  // Waits for the application to end; its exit status as in wait(2), or nothing when `deadline`
  // passes.
  bool running();

 private:
  Picoprocess() = default;
  pid_t pid_ = -1;
  UniqueFd pidfd_, control_;
};

}  // namespace missive::launch
