#include "python/bindings/bindings.h"

PYBIND11_MODULE(_missive, module) {
  module.doc() = "Models and zarfiles of missive-sim; use the package `missive`, which wraps this.";
  missive::python::bind_errors(module);
  missive::python::bind_parameters(module);
  missive::python::bind_costs(module);
  missive::python::bind_isolation(module);
  missive::python::bind_queueing(module);
  missive::python::bind_plans(module);
  missive::python::bind_zar(module);
}
