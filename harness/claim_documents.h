#pragma once
// Documents that are made from the claims file and from recorded verdicts: the README's table, the
// list of all claims, the artifact appendix. A test holds the committed text against what would be
// made now.

#include <filesystem>
#include <string>
#include <vector>

#include "harness/claim_judge.h"
#include "harness/claims.h"

namespace missive::harness {

// Verdicts of a `reproduce`. Throws InputError: unreadable, or not what read_verdicts() reads.
std::vector<ClaimVerdict> load_verdicts(const ClaimsFile& claims,
                                        const std::filesystem::path& file);

// Those that ship with the project (experiments/expected/verdicts.json), and for claims that have
// none there what can be said without a run: closed forms are computed, the rest is not run.
std::vector<ClaimVerdict> recorded_verdicts(const ClaimsFile& claims);

// Judges the results that are in FOLDER/NAME/result.json, where a `reproduce` leaves them, without
// running anything: after limits have changed, or for results of another host. `context` gets that
// of the last result. Throws InputError when there is no result at all.
std::vector<ClaimVerdict> judge_results(const ClaimsFile& claims,
                                        const std::filesystem::path& folder, Json& context);

// Throws InputError when the file cannot be read.
std::string read_document(const std::filesystem::path& file);

// `text` with every section made from the claims replaced: "claims" (all), "headlines" (those of
// the README), "appendix-claims", "appendix-experiments". Throws InputError when it has none.
std::string with_claim_sections(const std::string& text, const ClaimsFile& claims,
                                const std::vector<ClaimVerdict>& verdicts,
                                const std::string& where);

}  // namespace missive::harness
