#pragma once
// Results of parts of one experiment become its result: the same bytes as a run of the whole would
// have written, but for the context, where the simulation is concerned. Measurements of parts are
// put side by side as they are: each part was measured in its own order, at its own time.

#include <string>
#include <vector>

#include "harness/experiment.h"
#include "harness/result.h"

namespace missive::harness {

struct Part {
  std::string where;  // for messages
  Result result;      // with observations
};

// Throws InputError with a line for each part that is not of the experiment of `first`: another
// file, seed, configuration, program version, a parameter with another value, or, where something
// was measured, another host. `what_to_do` ends the message.
void check_same_configuration(const Part& first, const Part& other);

// The result of `e` from parts that are of it: points in the order of the grid, with everything
// that is derived from several points made anew. A point that no part has stays without metrics.
// Throws InputError when two parts have the same point, or one has a point that `e` does not have.
Result combine(const Experiment& e, const std::vector<Part>& parts);

// combine() of parts that must be all of it: throws InputError when a point is missing, a part was
// interrupted, or check_same_configuration() does.
Result merge(const std::vector<Part>& parts);

}  // namespace missive::harness
