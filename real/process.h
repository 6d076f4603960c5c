#pragma once
// Work in a child process: every measured repetition runs in a process of its own, so that neither
// heap, page tables nor a failure of one leaks into the next.

#include <chrono>
#include <functional>
#include <string>

namespace missive {

// Forks, runs `work` in the child and returns what it returned. The child ignores SIGINT (its
// parent decides) and dies with its parent (prctl(2), PR_SET_PDEATHSIG). An exception in the child
// arrives here as the same kind of Error with the same message. Throws RunError when the child
// crashed or `deadline` passed (it is killed then, with everything that set PR_SET_PDEATHSIG below
// it), Interrupted when interrupt_requested() became true. The result is at most 64 MiB.
std::string run_in_child(const std::function<std::string()>& work,
                         std::chrono::milliseconds deadline, const std::string& what);

// SIGINT and SIGTERM only set a flag; loops that wait call check_interrupt(), which throws
// Interrupted, and destructors take everything down on the way out.
void install_interrupt_handler();
bool interrupt_requested();
void check_interrupt();

}  // namespace missive
