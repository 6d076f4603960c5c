#pragma once
// The inside of a picoprocess: what its init (process 1 of the pid namespace) does between clone
// and the application's exec, and afterwards. Internal to picoprocess.cpp.
//
// Init is a copy of the launcher made by a bare clone3(2), perhaps of a launcher with threads: it
// may not allocate, lock or throw (as after fork(2) in a threaded program, signal-safety(7)). All
// memory it needs is in Init, made before the clone.
//
// The native twin (native.h) uses the same code with Confinement::none, so that both prepare the
// same private mounts and differ in nothing but the isolation.

#include <cstddef>
#include <cstdint>
#include <span>

#include <linux/filter.h>
#include <sched.h>

namespace missive::launch {

// The steps that can fail, for the error message of the side that can speak.
enum class Step : std::int32_t {
  none,
  namespaces,
  make_private,
  new_root,
  scratch,
  devices,
  process_list,
  leave_host,
  loopback,
  receive,
  place_root,
  place_scratch,
  display,
  enter_root,
  fork,
  privileges,
  filter,
  exec,
};
const char* describe(Step step);

// One message over the control socket, init to launcher: after preparation and after start.
struct Report {
  Step step = Step::none;  // none: succeeded
  std::int32_t error = 0;  // errno
  std::int64_t at_ns = 0;  // CLOCK_MONOTONIC, when it was sent
};

// Launcher to init, with the descriptors root, output, log and, with `display`, the socket's mount;
// then the strings, each ending in NUL: programs to try in order, arguments, variables, display
// socket name.
// `late_root` is 0 when the root was placed during preparation; then only output and log come.
struct StartMessage {
  std::uint32_t late_root = 1;
  std::uint32_t programs = 0, arguments = 0, variables = 0, display = 0;
};
inline constexpr std::size_t kMaxStartMessage = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxStrings = 1024;

// Those that init makes for itself, beside the launcher: a network namespace alone takes longer
// than the rest of the clone. The mount and pid namespaces are the clone's.
inline constexpr int kOwnNamespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

// What keeps the application in.
enum class Confinement {
  full,  // own pid, network, IPC and UTS namespaces, no capability, seccomp filter
  none,  // an unprivileged uid and a private mount table, as a user's own program would have
};

struct Init {
  Confinement confinement = Confinement::full;
  int root = -1;     // placed during preparation when given, else it comes with the start message
  int display = -1;  // mount of the display's socket; only with root
  const char* display_name = nullptr;
  int control = -1;  // its end of the socket pair; end of file means the launcher is gone
  std::span<const sock_filter> filter;
  bool maps_user = true;      // uid 1000 exists in this user namespace
  std::span<char> message;    // kMaxStartMessage bytes
  std::span<char*> pointers;  // kMaxStrings + 3
};

[[noreturn]] void run_init(const Init& init);

inline constexpr unsigned kUser = 1000;  // uid and gid of the application

}  // namespace missive::launch
