#pragma once
// What a launcher and the init of a picoprocess (process 1 of its pid namespace; the sources below
// init/) say to each other over the control socket, a SOCK_SEQPACKET pair. Init is a program of its
// own: of the launcher it has this socket and nothing else.
//
//   launcher  PrepareMessage   before init exists; waits for it in the socket
//   init      Report           its namespaces and private mounts are made
//   launcher  StartMessage
//   init      Report           the application's exec has succeeded
//   launcher  KeepMessage      lazily, for a program mapped from its image
//
// The first step that fails is reported instead, and init ends. The end of the launcher's end of
// the socket means that the launcher is gone: init ends with everything in it.
//
// The native twin (native.h) uses the same program with Confinement::none, so that both prepare the
// same private mounts and differ in nothing but the isolation.

#include <cstddef>
#include <cstdint>

#include <sched.h>

namespace missive::launch {

// The steps that can fail, for the error message of the side that can speak.
enum class Step : std::int32_t {
  none,
  program,
  prepare,
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
  map_program,
  watch_memory,
};
const char* describe(Step step);  // the launcher's side only

struct Report {
  Step step = Step::none;  // none: succeeded
  std::int32_t error = 0;  // errno
  std::int64_t at_ns = 0;  // CLOCK_MONOTONIC, when it was sent
};

// What keeps the application in.
enum class Confinement : std::uint32_t {
  full,  // own pid, network, IPC and UTS namespaces, no capability, seccomp filter
  none,  // an unprivileged uid and a private mount table, as a user's own program would have
};

// With the descriptors root and display, where there are; followed by the seccomp filter (`filter`
// times struct sock_filter) and, with `display`, the name of the display's socket, ending in NUL.
struct PrepareMessage {
  Confinement confinement = Confinement::full;
  std::uint32_t root = 0;     // 1: placed during preparation; 0: it comes with the start message
  std::uint32_t display = 0;  // 1: the mount of the display's socket; only with root
  std::uint32_t filter = 0;
};

// With the descriptors output, log and, with `late_root`, root and, with `display`, the mount of
// the display's socket and, with `mapped`, the loader's program, its socket and the image's memory
// file and, with `watched`, /dev/userfaultfd (load_plan.h); followed by strings, each ending in
// NUL: programs to try in order (none with `mapped`), arguments, variables, the display socket's
// name.
struct StartMessage {
  std::uint32_t late_root = 1;  // 0 when the root was placed during preparation
  std::uint32_t programs = 0, arguments = 0, variables = 0, display = 0;
  std::uint32_t mapped = 0;   // 1: exec the loader
  std::uint32_t watched = 0;  // 1: lazily; only with mapped
};

// With one descriptor, the application's userfaultfd. When its last owner closes it, the kernel
// takes the watch off the memory, and whoever waits there would go on with pages that nobody
// verified. So init owns it, too: when the launcher is gone it first ends the application.
struct KeepMessage {
  std::uint32_t keep = 1;
};
inline constexpr std::size_t kMaxMessage = std::size_t{64} * 1024;  // either of them
inline constexpr std::size_t kMaxDescriptors = 8;
inline constexpr std::size_t kMaxStrings = 1024;

inline constexpr int kControl = 0;  // init's descriptor of its end of the socket

// The namespaces that init makes for itself, beside the launcher: they take longer than all the
// rest of the clone, which makes the pid namespace only.
inline constexpr int kOwnNamespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

inline constexpr unsigned kUser = 1000;  // uid and gid of the application

}  // namespace missive::launch
