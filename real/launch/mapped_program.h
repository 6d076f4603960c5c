#pragma once
// A program that is no file of the picoprocess but is mapped from its image: what a delivery has
// beside the root (delivery.h), and Picoprocess::start() hands to the loader (load_plan.h).

#include "real/fd.h"
#include "real/launch/load_plan.h"

namespace missive::launch {

struct MappedProgram {
  LoadPlan plan;
  UniqueFd image;  // the memory file that the plan's offsets are in, sealed
};

// The program of the loader (loader/main.cpp) in a sealed memory file, made at the first call.
// Throws RunError or NotAvailable.
const UniqueFd& loader_program();

}  // namespace missive::launch
