#pragma once

#include <string>

namespace missive::domains {

// The first executable of that name in PATH and in /usr/sbin; empty when there is none.
std::string find_program(const std::string& name);

}  // namespace missive::domains
