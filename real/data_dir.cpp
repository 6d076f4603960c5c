#include "real/data_dir.h"

#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "models/error.h"

namespace missive {

namespace fs = std::filesystem;

fs::path data_dir() {
  std::vector<fs::path> candidates;
  if (const char* named = std::getenv("MISSIVE_DATA_DIR"); named && *named) {
    candidates.emplace_back(named);
  } else {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);  // proc(5)
    if (!error) candidates.push_back(program.parent_path().parent_path() / "share" / "missive-sim");
    candidates.emplace_back(MISSIVE_SOURCE_DIR);
  }
  std::string looked;
  for (const fs::path& candidate : candidates) {
    std::error_code error;
    if (fs::exists(candidate / "experiments/schema/experiment.schema.json", error))
      return candidate;
    looked += (looked.empty() ? "" : ", ") + candidate.string();
  }
  throw NotAvailable("the program's data (experiments/schema/experiment.schema.json) is not in " +
                     looked + "; set MISSIVE_DATA_DIR to the folder that holds experiments/");
}

}  // namespace missive
