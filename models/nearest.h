#pragma once
// "Did you mean ...?": the candidate nearest to a word that nobody knows. Used for parameter names,
// keys of experiment files, commands and registry entries.

#include <string>
#include <vector>

#include "models/error.h"

namespace missive {

// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; letter case is free.
// The restricted Damerau-Levenshtein distance, O(|a| * |b|).
std::size_t edit_distance(const std::string& a, const std::string& b);

// The candidate with the fewest edits, the first of equals; "" when none is nearer than about a
// third of the word (at least one edit is always allowed), so that no far-fetched guess is printed.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

// "; did you mean 'x'?" or "" when nothing is near: for the end of an error message.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

// The entry of a registry that has this name. Throws InputError: what there is none of, the one
// that was meant perhaps, and all there are. `what`: "delivery", "verifier" ...
template <class Registry>
const auto& named(const Registry& registry, const std::string& name, const std::string& what) {
  std::vector<std::string> known;
  std::string all;
  for (const auto& entry : registry) {
    if (entry.name == name) return entry;
    known.push_back(entry.name);
    all += (all.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw InputError("no " + what + " \"" + name.substr(0, 64) + "\"" + did_you_mean(name, known) +
                   "; there are " + all);
}

}  // namespace missive
