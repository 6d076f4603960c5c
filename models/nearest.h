#pragma once
// "Did you mean ...?": the candidate nearest to a word that nobody knows. Used for parameter names,
// keys of experiment files, commands and registry entries.

#include <string>
#include <vector>

namespace missive {

// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; letter case is free.
// The restricted Damerau-Levenshtein distance, O(|a| * |b|).
std::size_t edit_distance(const std::string& a, const std::string& b);

// The candidate with the fewest edits, the first of equals; "" when none is nearer than about a
// third of the word (at least one edit is always allowed), so that no far-fetched guess is printed.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

// "; did you mean 'x'?" or "" when nothing is near: for the end of an error message.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace missive
