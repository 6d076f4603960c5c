#pragma once
// Where the files that belong to the program live: experiments/ with its schema, traces/.

#include <filesystem>

namespace missive::harness {

// The first of these that holds experiments/schema/experiment.schema.json:
//   $MISSIVE_DATA_DIR (alone, when set), two folders above the program (a build tree inside the
//   source tree), <prefix>/share/missive-sim (installed), the source folder named when compiled.
// Throws NotAvailable listing where it looked.
std::filesystem::path data_dir();

}  // namespace missive::harness
