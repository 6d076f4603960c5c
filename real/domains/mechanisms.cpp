#include "models/nearest.h"
#include "real/domains/mechanism_list.h"

namespace missive::domains {

const std::vector<Mechanism>& mechanisms() {
  // One line for each:
  // clang-format off
  static const std::vector<Mechanism> all = {
      call_mechanism(),
      coroutine_mechanism(),
      thread_mechanism(),
      process_pipe_mechanism(),
      process_unix_mechanism(),
      process_eventfd_mechanism(),
      process_futex_mechanism(),
      process_spin_mechanism(),
      wasm_guard_mechanism(),
      wasm_bounds_mechanism(),
      wasm_pooled_mechanism(),
      safe_rust_mechanism(),
      pie_mechanism(),
      pie_dynamic_mechanism(),
      segment_mechanism(),
      pkey_mechanism(),
      picoprocess_mechanism(),
      container_bwrap_mechanism(),
      container_crun_mechanism(),
      kvm_mechanism(),
      qemu_microvm_mechanism(),
  };
  // clang-format on
  return all;
}

const Mechanism& mechanism(const std::string& name) {
  std::vector<std::string> names;
  for (const Mechanism& m : mechanisms()) {
    if (m.name == name) return m;
    names.push_back(m.name);
  }
  throw InputError("no isolation mechanism '" + name + "'" + did_you_mean(name, names));
}

}  // namespace missive::domains
