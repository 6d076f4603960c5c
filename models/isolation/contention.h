#pragma once
// Primitives that several CPUs get from one kernel, or from one process's address space, at once:
// each is measured alone and, under the name with "_contended" behind it, while every other CPU
// does the same again and again. A storm of creators is made of the second kind.

#include <array>
#include <string>
#include <string_view>

#include "models/isolation/composition.h"

namespace missive {

inline constexpr std::array<std::string_view, 28> kContended{
    "allocate",         "anonymous_touch",    "unmap",
    "file_write_touch", "region_start",       "region_end",
    "reserve_space",    "protect_page",       "far_touch",
    "discard",          "memory_file_write",  "memory_file_drop",
    "pipe_create",      "unix_create",        "thread_start",
    "thread_end",       "fork_start",         "process_end",
    "copy_on_write",    "exec_replace",       "user_map",
    "private_mounts",   "file_system_create", "root_change",
    "namespaces_start", "namespaces_end",     "kvm_create",
    "kvm_end"};
inline constexpr std::string_view kContendedSuffix = "_contended";

// "fork_start.call_s" gives "fork_start_contended.call_s"; a parameter of no such primitive stays.
std::string contended(const std::string& parameter);
Composition contended(const Composition& alone);

}  // namespace missive
