#pragma once
// Runs what claims need, one experiment after the other, and judges them all.
//
// Every experiment runs in a process of its own, as its users would run it: `missive-sim run FILE
// --out OUT/NAME`; what it prints goes to OUT/NAME/output.txt. An interruption (SIGINT, SIGTERM)
// is handed on to it; it keeps what it has and leaves nothing behind, and so does this. With
// `resume`, an experiment that was finished before, from the same file, in the same profile, by the
// same program, is not run again.
//
// Written to OUT, each file whole or not at all: reproduce.json (what was run, with which outcome,
// how long), verdicts.json, claims.md, claims.csv, appendix.md.

#include <filesystem>
#include <string>
#include <vector>

#include "harness/claim_judge.h"
#include "harness/claims.h"
#include "harness/output_dir.h"
#include "models/error.h"

namespace missive::harness {

class Progress;

struct ReproduceOptions {
  std::string profile = "short";    // "kick", "short", "full"
  std::vector<std::string> claims;  // ids; none: all
  bool resume = false;
  std::filesystem::path program;  // what runs an experiment; this program when empty
  Progress* progress = nullptr;   // never null when called by the command line
};

// An experiment that was run, or kept.
struct ReproducedExperiment {
  std::string name;
  ExitStatus status = ExitStatus::ok;
  double seconds = 0;  // of the run, also where it was kept
  bool kept = false;
  std::string message;  // of a run that failed: its last line
};

struct Reproduction {
  std::vector<ReproducedExperiment> experiments;
  std::vector<ClaimVerdict> verdicts;  // of the claims asked for
  bool interrupted = false;
};

// The claims of these ids in the file's order; all for none. Throws InputError for an id there is
// not, with the nearest.
std::vector<Claim> select_claims(const ClaimsFile& claims, const std::vector<std::string>& ids);

// Experiments the claims need, in the file's order, and what they are expected to take in all.
std::vector<ClaimExperiment> needed_experiments(const ClaimsFile& claims,
                                                const std::vector<Claim>& selected);
double expected_minutes(const std::vector<ClaimExperiment>& experiments,
                        const std::string& profile);

// Throws InputError for bad options; a run that fails is part of what is returned.
Reproduction reproduce(const ClaimsFile& claims, const ReproduceOptions& options,
                       const OutputDir& out);

// In this order: interrupted (130), an experiment failed (1), a claim that decides is not
// reproduced (3), a claim that could be judged elsewhere was not, or is inconclusive (4), else 0.
// Absolute figures of other hardware, and claims for which there is no experiment, do not count.
ExitStatus exit_status(const ClaimsFile& claims, const Reproduction& reproduction);

}  // namespace missive::harness
