// cache gc: drops what no image needs, and what is over a limit; makes the files as small as they
// can be.

#include <memory>

#include <fmt/format.h>

#include "harness/cache/cache_verb.h"
#include "harness/json_source.h"
#include "real/cache/fsck.h"
#include "real/cache/retention.h"

namespace missive::harness {

namespace {

struct GcCommand {
  std::string store, limit = "0", policy = "lru";
  bool json = false;
};

ExitStatus gc(const GcCommand& command, Terminal& terminal) {
  const std::uint64_t limit = bytes_option("--limit", command.limit);
  cache::check_store(command.store, false);  // a store, and not in use; none is made here
  cache::Store store(command.store, {});
  const cache::Collected c =
      cache::collect_garbage(store, limit, cache::eviction_policy(command.policy));
  if (command.json) {
    terminal.out << Json{{"unreferenced_blocks", c.unreferenced_blocks},
                         {"evicted", c.evicted},
                         {"bytes_before", c.bytes_before},
                         {"bytes_after", c.bytes_after}}
                        .dump(2)
                 << '\n';
  } else {
    terminal.out << fmt::format(
        "dropped {} blocks of no image and {} contents over the limit; {} bytes before, {} now\n",
        c.unreferenced_blocks, c.evicted, c.bytes_before, c.bytes_after);
  }
  return ExitStatus::ok;
}

}  // namespace

void add_cache_gc(Verb& cache) {
  Verb& verb = cache.add("gc", "drop what no image needs or is over a limit from a store at rest");
  auto command = std::make_shared<GcCommand>();
  verb.option("--store", command->store, "folder of the store", {.required = true});
  verb.option("--limit", command->limit, "bytes that may be left; 0: no limit",
              {.default_text = "0"});
  add_policy(verb, command->policy);
  verb.option("--json", command->json, "as JSON");
  verb.footer =
      "\nHow often images were used is known to a running cache only: at rest, policies see which\n"
      "blocks images share, and drop the later in an image first.\n"
      "\nExamples:\n"
      "  missive-sim cache gc --store cache\n"
      "  missive-sim cache gc --store cache --limit 200MiB --policy commonality\n";
  verb.action = [command](Terminal& terminal) { return gc(*command, terminal); };
}

}  // namespace missive::harness
