#pragma once
// What execve(2) leaves at the top of a new program's stack: arguments, environment and the
// auxiliary vector (System V ABI for x86-64, 3.4.1; getauxval(3)).

#include <cstdint>
#include <string>
#include <vector>

#include "real/domains/pie/elf.h"
#include "real/domains/pie/guest/link.h"
#include "real/domains/pie/slots.h"

namespace missive::domains::pie {

struct StartArguments {
  std::vector<std::string> argv;         // the first is the program's name
  std::vector<std::string> environment;  // "NAME=value"
};

// The stack pointer to enter the program with. `link` goes into the auxiliary vector where it is
// not null. Throws InputError when the arguments would take more than a quarter of the stack.
std::uint64_t build_stack(const Program& program, const Slot& slot, const StartArguments& arguments,
                          const missive_pie_link* link);

}  // namespace missive::domains::pie
