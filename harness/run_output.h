#pragma once
// What a run says on stdout when it is done; `merge` says the same.

#include <filesystem>
#include <ostream>
#include <string>

#include "harness/claims.h"
#include "harness/experiment.h"
#include "harness/result.h"

namespace missive::harness {

// `format`: table, json or csv. A table ends with the page to open, which is in `folder`.
void print_result(const Result& result, const Experiment& e, const ClaimsFile& claims,
                  const std::filesystem::path& folder, const std::string& format,
                  std::ostream& out);

}  // namespace missive::harness
