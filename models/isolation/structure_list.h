#pragma once
// The mechanisms that have a model, one function each; structures.cpp lists them.

#include "models/isolation/structure.h"

namespace missive {

// in_process.cpp
Structure call_structure();
Structure safe_rust_structure();
Structure coroutine_structure();
Structure thread_structure();

// process.cpp
Structure process_pipe_structure();
Structure process_unix_structure();
Structure process_eventfd_structure();
Structure process_futex_structure();
Structure process_spin_structure();

// picoprocess.cpp
Structure picoprocess_structure();

// wasm.cpp
Structure wasm_guard_structure();
Structure wasm_bounds_structure();
Structure wasm_pooled_structure();

// pie.cpp
Structure pie_structure();
Structure pie_dynamic_structure();

// segment.cpp
Structure segment_structure();

// kvm.cpp
Structure kvm_structure();

}  // namespace missive
