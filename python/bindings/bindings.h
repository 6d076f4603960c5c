#pragma once
// The extension module missive._missive: what is pure (costs, plans, parameters, published values,
// zarfiles) as plain functions over NumPy arrays. Nothing here starts a process, simulates or
// measures; those run in the program, in processes of their own (python/missive/_program.py).
//
// Documents cross the border as JSON text; arrays cross it without a copy when they have the right
// type. Calls that may take long release the interpreter lock.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

namespace missive::python {

void bind_errors(pybind11::module_& module);
void bind_parameters(pybind11::module_& module);
void bind_costs(pybind11::module_& module);
void bind_isolation(pybind11::module_& module);
void bind_queueing(pybind11::module_& module);
void bind_plans(pybind11::module_& module);
void bind_zar(pybind11::module_& module);

}  // namespace missive::python
