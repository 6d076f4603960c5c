#pragma once
// The command line (README, "Commands"). Everything else in the program throws; here it becomes a
// line on stderr and an exit status.

#include <ostream>
#include <string>
#include <vector>

namespace missive::harness {

// Results go to `out`, one line for each error to `err`. Gives the exit status; never throws.
int cli_main(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace missive::harness
