// Cost models over arrays.

#include <pybind11/stl.h>

#include "models/cost.h"
#include "models/error.h"
#include "models/nearest.h"
#include "python/bindings/bindings.h"

namespace missive::python {

namespace py = pybind11;

namespace {

const CostModel& model_of(const std::string& name) {
  std::vector<std::string> names;
  for (const CostModel& model : cost_models()) {
    if (model.name == name) return model;
    names.push_back(model.name);
  }
  throw InputError("no cost model is called '" + name + "'" + did_you_mean(name, names));
}

std::uint64_t count(std::int64_t value, const char* what) {
  if (value < 0)
    throw InputError(std::string(what) + " are counted; " + std::to_string(value) + " is negative");
  return static_cast<std::uint64_t>(value);
}

// The arrays come from numpy.broadcast_arrays: one that repeats a value has the stride 0 and is
// read as it is.
py::array_t<double> seconds(const std::string& name, const ParameterSet& parameters,
                            const py::array_t<std::int64_t>& calls,
                            const py::array_t<std::int64_t>& bytes,
                            const py::array_t<std::int64_t>& items) {
  const CostModel& model = model_of(name);
  const CostFunction function(model, parameters);
  const auto n = calls.size();
  if (bytes.size() != n || items.size() != n || calls.ndim() != 1 || bytes.ndim() != 1 ||
      items.ndim() != 1)
    throw InputError("calls, bytes and items must be flat arrays of one length");
  py::array_t<double> result(n);
  const auto c = calls.unchecked<1>();
  const auto b = bytes.unchecked<1>();
  const auto i = items.unchecked<1>();
  auto out = result.mutable_unchecked<1>();
  const py::gil_scoped_release release;
  Demand demand{name};
  for (py::ssize_t k = 0; k < n; ++k) {
    demand.calls = count(c(k), "calls");
    demand.bytes = {count(b(k), "bytes")};
    demand.items = count(i(k), "items");
    out(k) = to_seconds(function(demand));
  }
  return result;
}

py::dict describe(const CostModel& model) {
  py::dict d;
  d["name"] = model.name;
  d["what"] = model.what;
  d["source"] = model.source;
  d["per_call"] = model.per_call;
  d["per_byte"] = model.per_byte;
  d["per_item"] = model.per_item;
  d["affine"] = !model.equation;
  d["parameters"] = parameter_names(model);
  return d;
}

}  // namespace

void bind_costs(py::module_& module) {
  module.def(
      "cost_models",
      [] {
        py::list all;
        for (const CostModel& model : cost_models()) all.append(describe(model));
        return all;
      },
      "Every registered cost model: name, what it is, which counts it reads.");
  module.def("cost", &seconds, py::arg("name"), py::arg("parameters"), py::arg("calls").noconvert(),
             py::arg("bytes").noconvert(), py::arg("items").noconvert(),
             "Seconds of each demand; int64 arrays of one length, read without a copy.");
}

}  // namespace missive::python
