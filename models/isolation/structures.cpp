#include <utility>

#include "models/isolation/structure_list.h"

namespace missive {

namespace {

// By the mechanism's name (real/domains/domain.h).
const std::vector<std::pair<std::string, Structure>>& structures() {
  static const std::vector<std::pair<std::string, Structure>> all{
      {"call", call_structure()},
      {"coroutine", coroutine_structure()},
      {"thread", thread_structure()},
      {"process-pipe", process_pipe_structure()},
      {"process-unix", process_unix_structure()},
      {"process-eventfd", process_eventfd_structure()},
      {"process-futex", process_futex_structure()},
      {"process-spin", process_spin_structure()},
      {"wasm-guard", wasm_guard_structure()},
      {"wasm-bounds", wasm_bounds_structure()},
      {"wasm-pooled", wasm_pooled_structure()},
      {"safe-rust", safe_rust_structure()},
      {"pie", pie_structure()},
      {"pie-dynamic", pie_dynamic_structure()},
      {"segment", segment_structure()},
      {"picoprocess", picoprocess_structure()},
      {"kvm", kvm_structure()},
  };
  return all;
}

}  // namespace

std::vector<CostTerm> with_interface(std::vector<CostTerm> terms) {
  terms.insert(terms.begin(),
               {{1, "indirect_call.call_s"}, {1, "saving_call.call_s"}, {1, "table_jump.call_s"}});
  return terms;
}

std::vector<CostTerm> contained_call() { return {{1, "returnable_call.call_s"}}; }

const Structure* find_structure(const std::string& mechanism) {
  for (const auto& [name, structure] : structures())
    if (name == mechanism) return &structure;
  return nullptr;
}

std::vector<std::string> modelled_mechanisms() {
  std::vector<std::string> names;
  for (const auto& [name, structure] : structures()) names.push_back(name);
  return names;
}

}  // namespace missive
