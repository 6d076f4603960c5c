#pragma once
// Instructions instead of seconds: the second axis of the cell "execution". Valgrind's callgrind
// runs this program again and counts what a kernel executes, natively and in the domain; the counts
// are the same every time.

#include <filesystem>
#include <string>
#include <vector>

#include "real/domains/cells/series.h"
#include "real/domains/domain.h"

namespace missive::domains {

struct InstructionOptions {
  std::size_t request_bytes = 32 * 1024;
  std::vector<Entry> kernels;
  std::uint64_t seed = 1;
  // This program, which understands "domains counted NAME --entry KERNEL --size BYTES --seed N" and
  // then does what counted_calls() does.
  std::filesystem::path program = "/proc/self/exe";
};

// Why instructions inside this mechanism cannot be counted here: valgrind is missing, or it does
// not see them (other processes, virtual machines, and code whose system calls are caught by a
// facility of the kernel that valgrind does not have). Empty when they can.
std::string instructions_unavailable(const Mechanism& mechanism);

// For each kernel (the variant), one value:
//   execution.instructions_native  1  of the kernel called directly
//   execution.instructions         1  in the domain, those of a null call with the same request
//                                     taken off
//   execution.instruction_ratio    1  the second over the first
// Without values but with the reason as a note where they cannot be counted. Throws RunError when
// valgrind fails, Interrupted.
CellResult measure_instructions(const Mechanism& mechanism, const InstructionOptions& options);

// What is counted, in the program that valgrind runs: each kind of call once to warm up, and once.
// Throws what the domain throws.
void counted_calls(const Mechanism& mechanism, Entry entry, std::size_t bytes, std::uint64_t seed);

}  // namespace missive::domains
