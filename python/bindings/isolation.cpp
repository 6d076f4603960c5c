// Cost models of isolated domains (models/isolation.h), by name and over arrays of sizes.

#include <algorithm>
#include <functional>
#include <map>

#include <pybind11/stl.h>

#include "models/error.h"
#include "models/isolation.h"
#include "models/nearest.h"
#include "python/bindings/bindings.h"

namespace missive::python {

namespace py = pybind11;

namespace {

// `size` is what the operation takes: a length, a number of domains, bytes; or nothing.
using Operation =
    std::function<std::optional<Composition>(const std::string& mechanism, double size)>;

const std::map<std::string, Operation>& operations() {
  static const std::map<std::string, Operation> all{
      {"crossing", [](const std::string& m, double) { return crossing_cost(m); }},
      {"crossing_elsewhere", [](const std::string& m, double) { return crossing_cost(m, true); }},
      {"crossing_among", [](const std::string& m, double n) { return crossing_among(m, n); }},
      {"chain", [](const std::string& m, double n) { return chain_cost(m, n); }},
      {"creation", [](const std::string& m, double n) { return creation_cost(m, n); }},
      {"teardown", [](const std::string& m, double n) { return teardown_cost(m, n); }},
      {"message", [](const std::string& m, double n) { return message_cost(m, n); }},
      {"sharing_local",
       [](const std::string& m, double n) { return sharing_cost(m, Sharing::local, n); }},
      {"sharing_copy",
       [](const std::string& m, double n) { return sharing_cost(m, Sharing::copy, n); }},
      {"sharing_marshalled",
       [](const std::string& m, double n) { return sharing_cost(m, Sharing::marshalled, n); }},
      {"sharing_sealed",
       [](const std::string& m, double n) { return sharing_cost(m, Sharing::sealed, n); }},
      {"sharing_shared",
       [](const std::string& m, double n) { return sharing_cost(m, Sharing::shared, n); }},
      {"sharing_pointer",
       [](const std::string& m, double n) { return sharing_cost(m, Sharing::pointer, n); }}};
  return all;
}

std::vector<std::string> operation_names() {
  std::vector<std::string> names;
  for (const auto& [name, unused] : operations()) names.push_back(name);
  return names;
}

Composition composition(const std::string& operation, const std::string& mechanism, double size) {
  const auto found = operations().find(operation);
  if (found == operations().end())
    throw InputError("no operation of a domain is called '" + operation + "'" +
                     did_you_mean(operation, operation_names()));
  const auto modelled = modelled_mechanisms();
  if (std::find(modelled.begin(), modelled.end(), mechanism) == modelled.end())
    throw InputError("no isolation mechanism with a model is called '" + mechanism + "'" +
                     did_you_mean(mechanism, modelled));
  if (auto cost = found->second(mechanism, size)) return *cost;
  throw NotAvailable("the model has no cost of '" + operation + "' for '" + mechanism + "'");
}

py::array_t<double> cost(const std::string& operation, const std::string& mechanism,
                         const ParameterSet& parameters, const py::array_t<double>& sizes) {
  const auto in = sizes.unchecked<1>();
  py::array_t<double> result(sizes.size());
  auto out = result.mutable_unchecked<1>();
  const py::gil_scoped_release release;
  for (py::ssize_t k = 0; k < sizes.size(); ++k)
    out(k) = composition(operation, mechanism, in(k)).cost(parameters);
  return result;
}

}  // namespace

void bind_isolation(py::module_& module) {
  module.def("modelled_mechanisms", &modelled_mechanisms, "Isolation mechanisms that have models.");
  module.def("isolation_operations", &operation_names, "What isolation_cost() can be asked.");
  module.def("isolation_cost", &cost, py::arg("operation"), py::arg("mechanism"),
             py::arg("parameters"), py::arg("sizes").noconvert(),
             "Seconds for each of `sizes` (float64, flat; see missive.costs.isolation).");
  module.def(
      "isolation_text",
      [](const std::string& operation, const std::string& mechanism, double size) {
        return composition(operation, mechanism, size).text();
      },
      py::arg("operation"), py::arg("mechanism"), py::arg("size"),
      "The sum of primitives behind a cost, as text.");
}

}  // namespace missive::python
