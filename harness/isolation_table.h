#pragma once
// What a person sees of an isolation experiment: the seed's table (claim, published, measured here,
// predicted, verdict), a table by mechanism, or the metrics of the cells asked for. Made from the
// result alone.

#include <optional>
#include <string>
#include <vector>

#include "harness/answer.h"
#include "harness/experiment.h"
#include "harness/result.h"
#include "models/published.h"

namespace missive::harness {

// The seed's columns and the mechanisms that stand for them here.
struct SeedGroup {
  std::string name;
  std::vector<std::string> mechanisms;
};
const std::vector<SeedGroup>& seed_groups();

// A number of the seed's table for one mechanism: slow-down as a fraction, seconds, domains, share
// of time wasted. Nothing where the mechanism was not measured.
struct SeedNumber {
  std::string mechanism;
  std::optional<double> measured, predicted;
};
// Rows: "execution", "creation", "domains", "switch", "sharing".
std::vector<SeedNumber> seed_numbers(const Result& result, const SeedGroup& group,
                                     const std::string& row);

// A claim in SI units; a bound has one side only.
struct SeedClaim {
  std::optional<double> low, high, value;
};
std::optional<SeedClaim> seed_claim(const PublishedCatalogue& published, const std::string& group,
                                    const std::string& row);
// "holds", "better" or "worse" than claimed. A single value holds within a factor of two, "native"
// within 5 %. `more_is_better`: for a number of domains.
std::string seed_verdict(const SeedClaim& claim, double measured, bool more_is_better);

struct Attacks {
  std::size_t contained = 0, tried = 0;
};
// Nothing when the attack matrix of the mechanism was not run.
std::optional<Attacks> attacks_of(const Result& result, const std::string& mechanism);

std::string isolation_table(const Result& result, const Experiment& experiment,
                            const PublishedCatalogue& published);
// With all cells: how many of the seed's figures hold here. With some: their metrics only.
Answer isolation_answer(const Result& result, const Experiment& experiment,
                        const PublishedCatalogue& published);

}  // namespace missive::harness
