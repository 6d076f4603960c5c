#pragma once
// The words of a report, explained once: keys and values of the experiment file as the schema says
// them, phases of a launch, and what stands over the columns.

#include <string>
#include <vector>

#include "harness/answer.h"
#include "harness/result.h"

namespace missive::harness {

// What a phase of a launch, or a step of its boot, does; empty for other words.
std::string phase_in_words(const std::string& phase);

// The words that the page of this result uses: columns, phases, the kind's own words, keys.
std::vector<Term> glossary(const Result& result, const std::vector<Term>& of_kind = {});

}  // namespace missive::harness
