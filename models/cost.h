#pragma once
// Cost models: how long a demand takes on an idle core. A cost model is a name, an equation and the
// source of the equation; its coefficients are parameters, calibrated by a micro-measurement of the
// same name (real/measure/) and never by the scenario they are to predict.
//
// Most work here is affine:   t = calls * <name>.call_s + bytes * <name>.byte_s + items *
// <name>.item_s A term whose coefficient the model does not use is left out, and a demand that asks
// for it is an error. Adding a cost model: one entry in the table of its scenario
// (launch_costs.cpp), or a subclass for an equation that is not affine, in its own file, and one
// line in cost.cpp.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "models/parameter.h"
#include "models/plan.h"

namespace missive {

struct CostModel {
  std::string name;  // "sha256_tree"
  std::string what;  // one sentence: the work, and what an item is
  bool per_call = false, per_byte = false, per_item = false;
  std::string source;  // where the equation comes from, and which micro-measurement fits it
};

// Every registered cost model, in a fixed order.
const std::vector<CostModel>& cost_models();
// Throws std::out_of_range for an unknown name: a plan that names one is a defect, not an input
// error.
const CostModel& cost_model(const std::string& name);

// Duration of the demand. Adds the names of the parameters it read to `used` when given.
// Throws InputError when a parameter is missing (the message says which calibration writes it).
Picos cost(const Demand& demand, const ParameterSet& parameters,
           std::set<std::string>* used = nullptr);

}  // namespace missive
