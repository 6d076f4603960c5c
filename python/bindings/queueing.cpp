// Closed forms (models/queueing.h, models/isolation.h) as element-wise functions.

#include "models/queueing.h"

#include "models/isolation.h"
#include "python/bindings/bindings.h"

namespace missive::python {

namespace py = pybind11;

void bind_queueing(py::module_& module) {
  module.def("mm1_response", py::vectorize(mm1_response), py::arg("arrivals"), py::arg("service"));
  module.def("mm1_mean_number", py::vectorize(mm1_mean_number), py::arg("arrivals"),
             py::arg("service"));
  module.def("mg1_wait", py::vectorize(mg1_wait), py::arg("arrivals"), py::arg("service"),
             py::arg("scv"));
  module.def("md1_response", py::vectorize(md1_response), py::arg("arrivals"), py::arg("service"));
  module.def("mg1_shared_response", py::vectorize(mg1_shared_response), py::arg("arrivals"),
             py::arg("service"));
  module.def("erlang_c", py::vectorize(erlang_c), py::arg("arrivals"), py::arg("service"),
             py::arg("servers"));
  module.def("mmc_response", py::vectorize(mmc_response), py::arg("arrivals"), py::arg("service"),
             py::arg("servers"));
  module.def("break_even_switch_rate", py::vectorize(break_even_switch_rate), py::arg("slow_down"),
             py::arg("switch_s"));
}

}  // namespace missive::python
