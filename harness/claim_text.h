#pragma once
// Claims and their verdicts as text: for the terminal, for Markdown, as CSV. Made from the claims
// file and verdicts alone, so that every place says the same.

#include <string>
#include <vector>

#include "harness/claim_judge.h"
#include "harness/claims.h"

namespace missive::harness {

// One line a claim with the number that decides, at most 110 columns, and below it the reasons of
// all that were not reproduced.
std::string claims_table(const ClaimsFile& claims, const std::vector<ClaimVerdict>& verdicts);

// "11 reproduced, 1 not reproduced (C7), 2 inconclusive (C3 C4), 9 not run here".
std::string verdict_counts(const std::vector<ClaimVerdict>& verdicts);

// A table for README and report; `headlines_only` leaves out all others.
std::string claims_markdown(const ClaimsFile& claims, const std::vector<ClaimVerdict>& verdicts,
                            bool headlines_only);
// id,from,statement,tier,kind,expected,simulated,measured,low,high,n,verdict,why
std::string claims_csv(const ClaimsFile& claims, const std::vector<ClaimVerdict>& verdicts);

// Verdicts as a document, format "missive-sim/verdicts/1", and back. Throws InputError for another
// format, or for verdicts on claims that the file does not have.
Json verdicts_json(const ClaimsFile& claims, const std::vector<ClaimVerdict>& verdicts,
                   const Json& context);
std::vector<ClaimVerdict> read_verdicts(const ClaimsFile& claims, const Json& document,
                                        const std::string& where);

// The sections of docs/artifact-appendix.md that are made from the claims file: headlines, runs.
std::string appendix_claims(const ClaimsFile& claims);
std::string appendix_experiments(const ClaimsFile& claims);

// `text` with what stands between "<!-- NAME:begin ... -->" and "<!-- NAME:end -->" replaced.
// Throws InputError (naming `where`) when the markers are not there, once and in this order.
std::string with_section(const std::string& text, const std::string& name,
                         const std::string& content, const std::string& where);

}  // namespace missive::harness
