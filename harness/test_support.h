#pragma once
// For tests of this room: the data folder of the source tree, and a folder that goes away.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "real/measure/scratch.h"

namespace missive::harness {

// CTest runs tests in the source folder; by hand, start them there too. (__FILE__ is no way to find
// it: a compiler cache may make it relative.)
inline std::filesystem::path source_dir() {
  static const std::filesystem::path dir = std::filesystem::current_path();
  if (!std::filesystem::exists(dir / "experiments" / "schema"))
    throw std::runtime_error(dir.string() + " is not the source folder; start the test there");
  return dir;
}

inline void use_source_data() { setenv("MISSIVE_DATA_DIR", source_dir().c_str(), 1); }

class TemporaryFolder {
 public:
  const std::filesystem::path& path() const { return directory_.path(); }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path() / name) << text;
    return path() / name;
  }

 private:
  measure::ScratchDirectory directory_;
};

inline std::string read_text(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace missive::harness
