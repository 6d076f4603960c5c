#pragma once
// The program of a picoprocess's init (the sources below init/, built into this library as bytes),
// and how it is started: the new process shares the launcher's memory for the few system calls up
// to its execveat(2), so nothing of the launcher is copied, page tables included. Internal to
// init_control.cpp and picoprocess.cpp.

#include <array>
#include <cstdint>
#include <string>

#include <sys/types.h>

#include "real/fd.h"

namespace missive::launch {

// The program in a sealed memory file, made at the first call. Throws RunError.
const UniqueFd& init_program();

// The same descriptor where it is above 2, otherwise a copy that is (close-on-exec). Throws
// RunError.
UniqueFd above_standard(UniqueFd fd);

// One start. Lives, and stays where it is, until init has reported or is gone: until its exec, init
// runs on the stack in here.
class InitStart {
 public:
  // `program` and `control` are descriptors above 2, needed until spawn() returns.
  InitStart(int program, int control) : program_(program), control_(control) {}
  InitStart(const InitStart&) = delete;
  InitStart& operator=(const InitStart&) = delete;

  // Starts it in new `namespaces` with `control` as its only descriptor of use, no environment, and
  // all signals blocked. Returns its pid without waiting for the exec, which reports its own
  // failure (Step::program); -1 with errno when there is no process.
  pid_t spawn(std::uint64_t namespaces, UniqueFd& pidfd);

 private:
  static int run(void* self);

  int program_, control_;
  bool pass_capabilities_ = false;
  alignas(16) std::array<char, 8 * 1024> stack_;
};

}  // namespace missive::launch
