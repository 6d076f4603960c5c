#pragma once
// A program that is no file of the picoprocess but is mapped from its image: what a delivery has
// beside the root (delivery.h), and Picoprocess::start() hands to the loader (load_plan.h).

#include <cstdint>

#include "real/fd.h"
#include "real/launch/load_plan.h"

namespace missive::launch {

// Answers for the pages of a program that is mapped, but of which nobody has seen a page yet.
class PageWatch {
 public:
  virtual ~PageWatch() = default;
  // From the return on every page fault in the program's parts is answered. `faults` is the
  // userfaultfd of its memory, where the program's addresses count from `base`; `pidfd` is its
  // picoprocess's init, and may be closed afterwards. Once only. Throws NotAvailable or RunError.
  virtual void begin(UniqueFd faults, std::uint64_t base, int pidfd) = 0;
};

struct MappedProgram {
  LoadPlan plan;
  UniqueFd image;  // the memory file that the plan's offsets are in, sealed
  // Lazily, with plan.watched; null otherwise. Must outlive the picoprocess.
  PageWatch* watch = nullptr;
};

// The program of the loader (loader/main.cpp) in a sealed memory file, made at the first call.
// Throws RunError or NotAvailable.
const UniqueFd& loader_program();

}  // namespace missive::launch
