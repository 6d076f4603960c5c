#pragma once
// The verbs below `cache`: one file each, cache_<name>.cpp, and one line in verb_cache.cpp. Thin
// calls over real/cache.

#include <cstdint>
#include <string>

#include "harness/verb.h"

namespace missive::harness {

// What a verb of `cache` adds itself to.
struct CacheVerbs {
  Verbs& verbs;
  CLI::App* cache;

  CLI::App* add(const std::string& name, const std::string& what) const {
    return Verbs::add(cache, name, what);
  }
  void act(CLI::App* verb, Verbs::Action action) const { verbs.act(verb, std::move(action)); }
};

void add_cache_serve(const CacheVerbs& verbs);
void add_cache_stat(const CacheVerbs& verbs);
void add_cache_fsck(const CacheVerbs& verbs);
void add_cache_gc(const CacheVerbs& verbs);

// "10GiB" of an option, in bytes; "0" needs no unit. Throws InputError that names the option.
std::uint64_t bytes_option(const std::string& option, const std::string& text);
// --policy, with the registry's names and what each does.
void add_policy(CLI::App* verb, std::string& policy);

}  // namespace missive::harness
