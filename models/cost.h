#pragma once
// Cost models: how long a demand takes on an idle core. A cost model is a name, an equation and the
// source of the equation; its coefficients are parameters, calibrated by a micro-measurement of the
// same name (real/measure/) and never by the scenario they are to predict.
//
// Most work here is affine:   t = calls * <name>.call_s + bytes * <name>.byte_s + items *
// <name>.item_s A term whose coefficient the model does not use is left out, and a demand that asks
// for it is an error. Adding a cost model: one entry in the table of its scenario
// (launch_costs.cpp). An equation that is not affine (a cache size where bytes become dearer) is
// the entry's `equation`. A new table is one line in cost.cpp. "cpu_time" is
// always there: work given as its time, an item being a picosecond.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "models/parameter.h"
#include "models/plan.h"

namespace missive {

// Gives the value of parameter `<cost>.<term>` for a term such as "byte_s"; throws InputError when
// it is missing.
using Terms = std::function<double(const std::string& term)>;

struct CostModel {
  std::string name;  // "sha256_tree"
  std::string what;  // one sentence: the work, and what an item is
  bool per_call = false, per_byte = false, per_item = false;
  std::string source;  // where the equation comes from, and which micro-measurement fits it
  // Seconds of a demand where the affine form does not hold; empty: affine. The per_* flags say
  // which counts the equation reads.
  std::function<double(const Demand&, const Terms&)> equation = {};
};

// Every registered cost model, in a fixed order. Throws std::logic_error when two share a name.
const std::vector<CostModel>& cost_models();
// Throws std::out_of_range for an unknown name: a plan that names one is a defect, not an input
// error.
const CostModel& cost_model(const std::string& name);

// Names of the parameters an affine cost model reads, in the order call, byte, item; none for one
// with an equation of its own.
std::vector<std::string> parameter_names(const CostModel& model);

// Duration of the demand. Adds the names of the parameters it read to `used` when given.
// Throws InputError when a parameter is missing (the message says which calibration writes it), is
// negative, or makes the duration leave the clock's range; std::logic_error when the demand counts
// something the cost model has no term for.
Picos cost(const Demand& demand, const ParameterSet& parameters,
           std::set<std::string>* used = nullptr);
// The same for a cost model that is not in the registry.
Picos cost(const CostModel& model, const Demand& demand, const ParameterSet& parameters,
           std::set<std::string>* used = nullptr);

// A cost model with its coefficients looked up once, for many demands of the same kind: gives what
// cost() gives, without a look-up by name for each. Safe to call from several threads once made.
class CostFunction {
 public:
  // Throws InputError for a parameter that is missing or negative.
  CostFunction(const CostModel& model, const ParameterSet& parameters);
  // Throws as cost() does.
  Picos operator()(const Demand& demand) const;

 private:
  const CostModel& model_;
  const ParameterSet& parameters_;
  double call_s_ = 0, byte_s_ = 0, item_s_ = 0;  // of an affine model
};

}  // namespace missive
