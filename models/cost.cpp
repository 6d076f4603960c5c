#include "models/cost.h"

#include <stdexcept>
#include <unordered_map>

#include "models/error.h"
#include "models/launch_costs.h"

namespace missive {

namespace {

struct Registry {
  std::vector<CostModel> models;
  std::unordered_map<std::string, std::size_t> index;

  void add(const std::vector<CostModel>& table) {
    for (const CostModel& model : table) {
      if (!index.emplace(model.name, models.size()).second)
        throw std::logic_error("two cost models are called '" + model.name + "'");
      models.push_back(model);
    }
  }
};

// Work that is given as a time: hand-written plans, services with a known service time.
const std::vector<CostModel>& general_costs() {
  static const std::vector<CostModel> table{
      {"cpu_time", "work given as its time on an idle core; an item is a picosecond", false, false,
       true, "definition; no parameter, nothing to calibrate",
       [](const Demand& demand, const Terms&) {
         return static_cast<double>(demand.items) * 1e-12;
       }}};
  return table;
}

const Registry& registry() {
  static const Registry all = [] {
    Registry r;
    r.add(general_costs());
    r.add(launch_costs());
    return r;
  }();
  return all;
}

// A count without a term would silently cost nothing, so it is a defect of the plan.
void check_terms(const CostModel& model, const Demand& demand) {
  const auto demands = [&](const char* what) {
    throw std::logic_error("cost model '" + model.name + "' has no cost per " + what +
                           ", but a demand counts some");
  };
  if (demand.calls != 0 && !model.per_call) demands("call");
  if (demand.bytes.count != 0 && !model.per_byte) demands("byte");
  if (demand.items != 0 && !model.per_item) demands("item");
}

double read_term(const std::string& cost, const std::string& term, const ParameterSet& parameters,
                 std::set<std::string>* used) {
  const std::string name = cost + "." + term;
  if (!parameters.contains(name))
    throw InputError("parameters: '" + name + "' is missing; the micro-measurement '" + cost +
                     "' writes it: run `missive-sim calibrate`");
  const double value = parameters.value(name);
  if (value < 0) throw InputError("parameters: '" + name + "' is negative; a cost cannot be");
  if (used != nullptr) used->insert(name);
  return value;
}

Picos rounded(const CostModel& model, double seconds) {
  try {
    return from_seconds(seconds);
  } catch (const std::range_error& e) {
    throw InputError("cost model '" + model.name + "': " + e.what() + "; check its parameters");
  }
}

}  // namespace

const std::vector<CostModel>& cost_models() { return registry().models; }

const CostModel& cost_model(const std::string& name) {
  const auto found = registry().index.find(name);
  if (found == registry().index.end())
    throw std::out_of_range("no cost model is called '" + name + "'");
  return registry().models[found->second];
}

std::vector<std::string> parameter_names(const CostModel& model) {
  std::vector<std::string> names;
  if (model.equation) return names;
  if (model.per_call) names.push_back(model.name + ".call_s");
  if (model.per_byte) names.push_back(model.name + ".byte_s");
  if (model.per_item) names.push_back(model.name + ".item_s");
  return names;
}

Picos cost(const Demand& demand, const ParameterSet& parameters, std::set<std::string>* used) {
  return cost(cost_model(demand.cost), demand, parameters, used);
}

Picos cost(const CostModel& model, const Demand& demand, const ParameterSet& parameters,
           std::set<std::string>* used) {
  check_terms(model, demand);
  if (!model.equation) {
    const Picos time = CostFunction(model, parameters)(demand);
    if (used != nullptr)
      for (std::string& name : parameter_names(model)) used->insert(std::move(name));
    return time;
  }
  return rounded(model, model.equation(demand, [&](const std::string& term) {
    return read_term(model.name, term, parameters, used);
  }));
}

CostFunction::CostFunction(const CostModel& model, const ParameterSet& parameters)
    : model_(model), parameters_(parameters) {
  if (model.equation) return;
  const auto term = [&](const char* name) {
    return read_term(model.name, name, parameters, nullptr);
  };
  if (model.per_call) call_s_ = term("call_s");
  if (model.per_byte) byte_s_ = term("byte_s");
  if (model.per_item) item_s_ = term("item_s");
}

Picos CostFunction::operator()(const Demand& demand) const {
  if (model_.equation) return cost(model_, demand, parameters_);
  check_terms(model_, demand);
  return rounded(model_, static_cast<double>(demand.calls) * call_s_ +
                             static_cast<double>(demand.bytes.count) * byte_s_ +
                             static_cast<double>(demand.items) * item_s_);
}

}  // namespace missive
