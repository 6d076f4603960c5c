// The verb `cache`: the untrusted cache as a daemon, and its store.

#include <fmt/format.h>

#include "harness/cache/cache_verb.h"
#include "harness/verb_list.h"
#include "models/quantity.h"
#include "real/cache/eviction.h"

namespace missive::harness {

std::uint64_t bytes_option(const std::string& option, const std::string& text) {
  if (text == "0") return 0;
  try {
    return parse_bytes(text).count;
  } catch (const std::invalid_argument& e) {
    throw InputError(fmt::format("{}: {}", option, e.what()));
  }
}

void add_policy(Verb& verb, std::string& policy) {
  std::string what = "what goes first when the limit is reached:";
  std::vector<std::string> names;
  for (const cache::EvictionPolicy* p : cache::eviction_policies()) {
    what += fmt::format("{} {} ({})", names.empty() ? "" : ",", p->name, p->what);
    names.emplace_back(p->name);
  }
  verb.option("--policy", policy, what, {.one_of = names, .default_text = policy});
}

void add_cache_verb(Verb& program) {
  Verb& cache =
      program.add("cache", "run the untrusted cache as a daemon, and look after its store");
  add_cache_serve(cache);
  add_cache_stat(cache);
  add_cache_fsck(cache);
  add_cache_gc(cache);
}

}  // namespace missive::harness
