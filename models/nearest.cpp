#include "models/nearest.h"

#include <algorithm>
#include <cctype>

namespace missive {

namespace {

// Input may come from anywhere: words longer than this are not names, and are compared by their
// beginning only, which bounds the work.
constexpr std::size_t kLongest = 128;

std::string lower(const std::string& text) {
  std::string result = text.substr(0, kLongest);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

}  // namespace

std::size_t edit_distance(const std::string& a, const std::string& b) {
  const std::string s = lower(a), t = lower(b);
  std::vector<std::size_t> before(t.size() + 1), last(t.size() + 1), row(t.size() + 1);
  for (std::size_t j = 0; j <= t.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= s.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= t.size(); ++j) {
      const std::size_t replace = last[j - 1] + (s[i - 1] == t[j - 1] ? 0 : 1);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && s[i - 1] == t[j - 2] && s[i - 2] == t[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[t.size()];
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t fewest = std::max<std::size_t>(1, std::min(word.size(), kLongest) / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t edits = edit_distance(word, candidate);
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string name = nearest(word, candidates);
  return name.empty() ? "" : "; did you mean '" + name + "'?";
}

}  // namespace missive
