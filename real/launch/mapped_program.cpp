#include "real/launch/mapped_program.h"

#include <cstddef>

#include "real/launch/sealed_memory.h"

// The program, from init.cmake.
extern "C" const std::byte missive_loader_program[];
extern "C" const std::byte missive_loader_program_end[];

namespace missive::launch {

const UniqueFd& loader_program() {
  static const UniqueFd program = sealed_program_of(
      {missive_loader_program,
       static_cast<std::size_t>(missive_loader_program_end - missive_loader_program)},
      "loader");
  return program;
}

}  // namespace missive::launch
