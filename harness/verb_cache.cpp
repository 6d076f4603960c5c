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

void add_policy(CLI::App* verb, std::string& policy) {
  std::string what = "what goes first when the limit is reached:";
  std::vector<std::string> names;
  for (const cache::EvictionPolicy* p : cache::eviction_policies()) {
    what += fmt::format("{} {} ({})", names.empty() ? "" : ",", p->name, p->what);
    names.emplace_back(p->name);
  }
  verb->add_option("--policy", policy, what)->check(CLI::IsMember(names))->default_str(policy);
}

void add_cache_verb(Verbs& verbs) {
  CLI::App* cache =
      verbs.add("cache", "run the untrusted cache as a daemon, and look after its store");
  cache->require_subcommand(1);
  const SubVerbs all{verbs, cache};
  add_cache_serve(all);
  add_cache_stat(all);
  add_cache_fsck(all);
  add_cache_gc(all);
}

}  // namespace missive::harness
