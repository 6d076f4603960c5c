#pragma once
// The verbs below `cache`: one file each, cache_<name>.cpp, and one line in verb_cache.cpp. Thin
// calls over real/cache.

#include <cstdint>
#include <string>

#include "harness/verb.h"

namespace missive::harness {

void add_cache_serve(Verb& cache);
void add_cache_stat(Verb& cache);
void add_cache_fsck(Verb& cache);
void add_cache_gc(Verb& cache);

// "10GiB" of an option, in bytes; "0" needs no unit. Throws InputError that names the option.
std::uint64_t bytes_option(const std::string& option, const std::string& text);
// --policy, with the registry's names and what each does.
void add_policy(Verb& verb, std::string& policy);

}  // namespace missive::harness
