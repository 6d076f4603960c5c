#pragma once
// A cost as a sum: so many times this primitive, so many times that one.
//
//   seconds = sum over terms of count * parameter

#include <set>
#include <string>
#include <vector>

#include "models/parameter.h"

namespace missive {

struct CostTerm {
  double count = 0;
  std::string parameter;  // "wake_process.call_s"
};

class Composition {
 public:
  Composition() = default;
  Composition(std::string why, std::vector<CostTerm> terms);

  Composition& add(double count, const std::string& parameter);
  Composition& add(double times, const Composition& other);

  // Seconds (bytes for a density model). Throws InputError for a parameter that is not there.
  double cost(const ParameterSet& parameters) const;
  // Parameters it needs that `parameters` does not have, in order.
  std::vector<std::string> missing(const ParameterSet& parameters) const;
  std::set<std::string> parameters() const;
  // "2 x wake_process.call_s + poll_ready.call_s"
  std::string text() const;
  const std::string& why() const { return why_; }
  const std::vector<CostTerm>& terms() const { return terms_; }

 private:
  std::string why_;
  std::vector<CostTerm> terms_;  // one for each parameter
};

}  // namespace missive
