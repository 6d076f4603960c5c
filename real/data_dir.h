#pragma once
// Where the project's own data files are: experiments/, traces/, scripts/.

#include <filesystem>

namespace missive {

// $MISSIVE_DATA_DIR, else <prefix>/share/missive-sim beside the running program, else the source
// tree the program was built from. Throws NotAvailable when none of them holds
// experiments/schema/experiment.schema.json.
std::filesystem::path data_dir();

}  // namespace missive
