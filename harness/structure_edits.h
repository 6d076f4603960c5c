#pragma once
// How files of real updates changed, page by page, as text: what the model of updates learns from
// when the updates themselves are not there. The format is in traces/README.md.

#include <filesystem>
#include <string>
#include <vector>

#include "models/structure_update.h"

namespace missive::harness {

std::string edits_text(const std::vector<EditProfile>& profiles);

// Throws InputError: no such file, or a line that is none of the format's.
std::vector<EditProfile> read_edits(const std::filesystem::path& file);

// Those that ship with the project.
std::filesystem::path recorded_edits();

}  // namespace missive::harness
