// Launch plans: a scenario in, steps out.

#include <pybind11/stl.h>

#include "models/launch.h"
#include "python/bindings/bindings.h"

namespace missive::python {

namespace py = pybind11;

namespace {

std::uint64_t number(const py::dict& facts, const char* key) {
  return facts[key].cast<std::uint64_t>();
}

ImageFacts image_facts(const py::dict& d) {
  ImageFacts f;
  f.length = {number(d, "length")};
  f.block_size = number(d, "block_size");
  f.blocks = number(d, "blocks");
  f.recipe = {number(d, "recipe")};
  f.nodes = {number(d, "nodes")};
  f.files = number(d, "files");
  f.content = {number(d, "content")};
  f.nodes_other = number(d, "nodes_other");
  f.symlinks = number(d, "symlinks");
  f.runs = number(d, "runs");
  f.run_bytes = {number(d, "run_bytes")};
  f.directories = number(d, "directories");
  f.listed = number(d, "listed");
  f.links = number(d, "links");
  f.front_blocks = number(d, "front_blocks");
  f.run_blocks = number(d, "run_blocks");
  f.pieces = number(d, "pieces");
  return f;
}

py::list to_python(const Plan& plan) {
  py::list steps;
  for (const Step& step : plan.steps) {
    py::dict s;
    s["name"] = step.name;
    s["phase"] = to_string(step.phase);
    s["place"] = to_string(step.place);
    s["after"] = step.after;
    s["once"] = step.once;
    py::list demands;
    for (const Demand& d : step.demands)
      demands.append(py::make_tuple(d.cost, d.calls, d.bytes.count, d.items));
    s["demands"] = demands;
    s["transfer"] =
        step.transfer ? py::object(py::make_tuple(step.transfer->link, step.transfer->bytes.count))
                      : py::object(py::none());
    py::dict amounts;
    for (std::size_t a = 0; a < kAmounts; ++a) {
      const auto amount = static_cast<Amount>(a);
      if (step.amounts[amount] != 0) amounts[to_string(amount).c_str()] = step.amounts[amount];
    }
    s["amounts"] = amounts;
    steps.append(s);
  }
  return steps;
}

py::list launch(const py::dict& image, std::uint64_t lookups, const std::string& temperature,
                bool keyed, bool lazy, const std::string& delivery, const std::string& hand_over,
                std::uint64_t missing_blocks, const std::string& origin_link) {
  LaunchScenario s;
  s.temperature = parse_temperature(temperature);
  s.keyed = keyed;
  s.lazy = lazy;
  s.delivery = delivery;
  s.hand_over = parse_hand_over(hand_over);
  s.origin_link = origin_link;
  s.image = image_facts(image);
  s.application.lookups = lookups;
  s.missing_blocks = missing_blocks;
  return to_python(plan_launch(s));
}

}  // namespace

void bind_plans(py::module_& module) {
  module.def("plan_launch", &launch, py::arg("image"), py::arg("lookups"), py::arg("temperature"),
             py::arg("keyed"), py::arg("lazy"), py::arg("delivery"), py::arg("hand_over"),
             py::arg("missing_blocks"), py::arg("origin_link"),
             "Steps of one launch, in order; see missive.plans.");
}

}  // namespace missive::python
