// Errors of the models as the package's own exceptions (missive/errors.py), with the same line.

#include <stdexcept>

#include "models/error.h"
#include "python/bindings/bindings.h"

namespace missive::python {

namespace py = pybind11;

namespace {

void raise(const char* name, const char* what) {
  const py::object type = py::module_::import("missive.errors").attr(name);
  PyErr_SetString(type.ptr(), what);
}

}  // namespace

void bind_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const InputError& e) {
      raise("InputError", e.what());
    } catch (const NotAvailable& e) {
      raise("NotAvailable", e.what());
    } catch (const Error& e) {
      raise("RunError", e.what());
    } catch (const std::invalid_argument& e) {  // a scenario or value that contradicts itself
      raise("InputError", e.what());
    } catch (const std::domain_error& e) {  // a closed form outside its range
      raise("InputError", e.what());
    } catch (const std::logic_error& e) {
      raise("InputError", e.what());
    }
  });
}

}  // namespace missive::python
