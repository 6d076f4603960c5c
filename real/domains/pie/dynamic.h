#pragma once
// Unmodified dynamic PIEs in this process: what is loaded is the program's own dynamic loader
// (ld.so(8)), which is told the program's path as if it had been typed on a command line, and maps
// the program and its libraries itself. So every dynamic PIE of the distribution runs, with a C
// library, stack, heap and thread-local storage of its own; its system calls are answered as
// host_calls.h says. No boundary.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "real/domains/domain.h"

namespace missive::domains::pie {

struct ProgramOptions {
  std::vector<std::string> arguments;  // without the program's name
  std::vector<std::string> environment{"PATH=/usr/bin:/bin", "LC_ALL=C"};
  std::string input;                       // its standard input
  std::size_t most_output = 64ULL << 20U;  // of each of the two; then it gets EFBIG
  std::chrono::milliseconds deadline{0};   // 0: none
};

struct ProgramResult {
  int status = 0;        // as a shell tells it: 128 + n for signal n
  int signal = 0;        // that ended the program; 0: it exited
  bool late = false;     // it was ended, because it had not come to its end within the deadline
  std::string out, err;  // what it wrote
};

// Runs the program at `path` to its end, be that a fault of its own code. Throws InputError for a
// file that is not there or not a dynamic PIE (elf.h), or whose loader is not there; NotAvailable;
// RunError for a limit of the host.
ProgramResult run_program(const std::string& path, const ProgramOptions& options);

// A domain from the service program at `path` (guest/link.h). Throws as run_program() does, and
// RunError when the program ends before it is ready.
std::unique_ptr<Domain> start_program(const std::string& path, const DomainOptions& options);

}  // namespace missive::domains::pie
