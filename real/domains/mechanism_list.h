#pragma once
// The mechanisms, declared: one line here and one in mechanisms.cpp for each. `x_mechanism()` is
// defined in the mechanism's own file.

#include "real/domains/domain.h"

namespace missive::domains {

Mechanism call_mechanism();
Mechanism coroutine_mechanism();
Mechanism thread_mechanism();
Mechanism process_pipe_mechanism();
Mechanism process_unix_mechanism();
Mechanism process_eventfd_mechanism();
Mechanism process_futex_mechanism();
Mechanism process_spin_mechanism();
Mechanism wasm_guard_mechanism();
Mechanism wasm_bounds_mechanism();
Mechanism wasm_pooled_mechanism();
Mechanism safe_rust_mechanism();
Mechanism pie_mechanism();
Mechanism pie_dynamic_mechanism();
Mechanism segment_mechanism();
Mechanism pkey_mechanism();
Mechanism kvm_mechanism();
Mechanism qemu_microvm_mechanism();
Mechanism picoprocess_mechanism();
Mechanism container_bwrap_mechanism();
Mechanism container_crun_mechanism();

}  // namespace missive::domains
