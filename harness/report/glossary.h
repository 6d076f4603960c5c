#pragma once
// The words of a report, explained once: keys and values of the experiment file as the schema says
// them, phases of a launch, and what stands over the columns.

#include <string>
#include <vector>

#include "harness/result.h"

namespace missive::harness {

struct Term {
  std::string word, meaning;
};

// What a phase of a launch, or a step of its boot, does; empty for other words.
std::string phase_in_words(const std::string& phase);

// The words that the page of this result uses, in three groups: columns, phases, keys.
std::vector<Term> glossary(const Result& result);

}  // namespace missive::harness
