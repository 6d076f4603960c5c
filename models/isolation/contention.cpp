#include "models/isolation/contention.h"

#include <algorithm>

namespace missive {

std::string contended(const std::string& parameter) {
  const auto dot = parameter.find('.');
  const std::string_view primitive = std::string_view(parameter).substr(0, dot);
  if (std::find(kContended.begin(), kContended.end(), primitive) == kContended.end())
    return parameter;
  return std::string(primitive) + std::string(kContendedSuffix) + parameter.substr(dot);
}

Composition contended(const Composition& alone) {
  Composition crowded(alone.why(), {});
  for (const CostTerm& term : alone.terms()) crowded.add(term.count, contended(term.parameter));
  return crowded;
}

}  // namespace missive
