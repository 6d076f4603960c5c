#pragma once
// Runs a function in a child process and brings its answer back: SimGrid's engine is a singleton
// whose clock does not start again at zero, so every simulation gets a process of its own
// (docs/models.md, "One engine per process").
//
// The child inherits a copy of the caller's memory, so arguments need no encoding; only the answer
// crosses, as bytes through a pipe. The child leaves by _exit(2): it flushes none of the streams it
// inherited and runs no destructor of the caller's. Its stdout and stderr are caught; the end of
// what it wrote becomes part of the error when it fails.
//
// fork(2) copies only the calling thread. A caller with other threads may use this as long as `job`
// takes no lock one of them may hold (glibc keeps malloc usable).

#include <chrono>
#include <functional>
#include <string>

namespace missive {

struct IsolationLimits {
  std::chrono::milliseconds timeout{60'000};
  std::size_t answer_bytes = std::size_t{1} << 30;
};

// Returns what `job` returned. Throws
//   InputError    job threw it, same message
//   RunError      job threw anything else, the child died, or a limit was passed (the child is then
//                 killed); the message starts with `what`
//   Interrupted   the child was ended by SIGINT or SIGTERM
// No child is left behind, on any way out.
std::string run_isolated(const std::string& what, const std::function<std::string()>& job,
                         const IsolationLimits& limits = {});

}  // namespace missive
