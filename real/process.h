#pragma once
// Work in a child process: every measured repetition runs in a process of its own, so that neither
// heap, page tables nor a failure of one leaks into the next.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace missive {

// Forks, runs `work` in the child and returns what it returned. The child ignores SIGINT (its
// parent decides) and dies with its parent (prctl(2), PR_SET_PDEATHSIG). An exception in the child
// arrives here as the same kind of Error with the same message. Throws RunError when the child
// crashed or `deadline` passed (it is killed then, with everything that set PR_SET_PDEATHSIG below
// it), Interrupted when interrupt_requested() became true. The result is at most 64 MiB.
std::string run_in_child(const std::function<std::string()>& work,
                         std::chrono::milliseconds deadline, const std::string& what);

struct ChildWork {
  std::function<std::string()> work;
  std::string what;  // begins its error messages
};

// The same for several at once. All are forked by the calling thread before any begins, so that
// they begin at the same moment and none inherits a lock which a sibling's thread holds. Answers in
// the order of `works`; throws, once all have ended, what the first of those that failed threw.
std::vector<std::string> run_in_children(const std::vector<ChildWork>& works,
                                         std::chrono::milliseconds deadline);

// SIGINT and SIGTERM only set a flag; loops that wait call check_interrupt(), which throws
// Interrupted, and destructors take everything down on the way out.
void install_interrupt_handler();
bool interrupt_requested();
void check_interrupt();

}  // namespace missive
