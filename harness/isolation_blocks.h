#pragma once
// The parts that the tables of an isolation experiment are made of.

#include <string>

#include "harness/experiment.h"
#include "harness/isolation_experiment.h"
#include "harness/result.h"
#include "models/published.h"

namespace missive::harness {

// The seed's table: claim, published, measured here, predicted, verdict.
std::string seed_block(const Result& result, const Experiment& experiment,
                       const PublishedCatalogue& published);
// Every metric of a cell, with the reasons of those that have no value; empty when there is none.
std::string detail_block(const Result& result, Cell cell);
// Which attacks each mechanism contains.
std::string attack_block(const Result& result, const Experiment& experiment);

}  // namespace missive::harness
