// Parameters and published values: files of the project, checked by the code that owns them.

#include <pybind11/stl.h>
#include <nlohmann/json.hpp>

#include "models/error.h"
#include "models/parameter.h"
#include "models/published.h"
#include "python/bindings/bindings.h"

namespace missive::python {

namespace py = pybind11;

namespace {

nlohmann::json parse(const std::string& text, const std::string& where) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    throw InputError(where + ": not JSON (" + e.what() + "); check the file");
  }
}

py::tuple row(const PublishedValue& v) {
  return py::make_tuple(v.mechanism, v.quantity, v.value, v.low, v.high, v.unit, v.source, v.year,
                        v.url, v.checked);
}

py::list published(const std::string& text, const std::string& where, const std::string& word) {
  const auto catalogue = PublishedCatalogue::from_json(parse(text, where), where);
  py::list rows;
  for (const PublishedValue* value : catalogue.matching(word)) rows.append(row(*value));
  return rows;
}

}  // namespace

void bind_parameters(py::module_& module) {
  py::class_<ParameterSet>(module, "ParameterSet",
                           "Parameters of the cost models, checked. Immutable from here.")
      .def(py::init([](const std::string& text, const std::string& where) {
             return ParameterSet::from_json(parse(text, where), where);
           }),
           py::arg("text"), py::arg("where"))
      .def(
          "to_json", [](const ParameterSet& set) { return set.to_json().dump(1); },
          "The parameter file, as text.")
      .def("value", &ParameterSet::value, py::arg("name"),
           "Value in SI units; an unknown name is an InputError with the nearest one.");
  module.def("published", &published, py::arg("text"), py::arg("where"), py::arg("word"),
             "Rows of a catalogue file in whose mechanism, quantity or source `word` occurs.");
}

}  // namespace missive::python
