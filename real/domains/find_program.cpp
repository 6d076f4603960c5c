#include "real/domains/find_program.h"

#include <cstdlib>
#include <sstream>

#include <unistd.h>

namespace missive::domains {

std::string find_program(const std::string& name) {
  const char* given = std::getenv("PATH");
  std::istringstream path(std::string(given != nullptr ? given : "/usr/bin:/bin") + ":/usr/sbin");
  for (std::string directory; std::getline(path, directory, ':');) {
    const std::string file = directory + "/" + name;
    if (!directory.empty() && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

}  // namespace missive::domains
