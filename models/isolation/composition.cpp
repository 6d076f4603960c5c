#include "models/isolation/composition.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <fmt/format.h>

namespace missive {

Composition::Composition(std::string why, std::vector<CostTerm> terms) : why_(std::move(why)) {
  for (const CostTerm& term : terms) add(term.count, term.parameter);
}

Composition& Composition::add(double count, const std::string& parameter) {
  if (!std::isfinite(count) || count < 0)
    throw std::invalid_argument("a term's count is a number, not negative: " + parameter);
  if (count == 0) return *this;
  const auto same = std::find_if(terms_.begin(), terms_.end(),
                                 [&](const CostTerm& t) { return t.parameter == parameter; });
  if (same != terms_.end())
    same->count += count;
  else
    terms_.push_back({count, parameter});
  return *this;
}

Composition& Composition::add(double times, const Composition& other) {
  const std::vector<CostTerm> terms = other.terms_;  // `other` may be this
  for (const CostTerm& term : terms) add(times * term.count, term.parameter);
  return *this;
}

double Composition::cost(const ParameterSet& parameters) const {
  double sum = 0;
  for (const CostTerm& term : terms_) sum += term.count * parameters.value(term.parameter);
  return sum;
}

std::vector<std::string> Composition::missing(const ParameterSet& parameters) const {
  std::vector<std::string> names;
  for (const CostTerm& term : terms_)
    if (!parameters.contains(term.parameter)) names.push_back(term.parameter);
  return names;
}

std::set<std::string> Composition::parameters() const {
  std::set<std::string> names;
  for (const CostTerm& term : terms_) names.insert(term.parameter);
  return names;
}

std::string Composition::text() const {
  std::string text;
  for (const CostTerm& term : terms_) {
    if (!text.empty()) text += " + ";
    if (term.count != 1) text += fmt::format("{:.4g} x ", term.count);
    text += term.parameter;
  }
  return text.empty() ? "0" : text;
}

}  // namespace missive
