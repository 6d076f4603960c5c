// cache serve: the cache in the foreground, until SIGINT or SIGTERM.

#include <filesystem>
#include <memory>

#include <poll.h>

#include <fmt/format.h>

#include "harness/cache/cache_verb.h"
#include "real/cache/server.h"
#include "real/process.h"

namespace missive::harness {

namespace {

struct ServeCommand {
  std::string store, socket, origin;
  std::string limit = "8GiB", memory = "2GiB", policy = "lru";
  std::size_t connections = 256, fetches = 8;
  bool no_sync = false, no_check = false;
};

cache::CacheProcess::Options options_of(const ServeCommand& command) {
  cache::CacheProcess::Options options;
  options.store = std::filesystem::absolute(command.store);
  options.socket =
      command.socket.empty() ? options.store / "socket" : std::filesystem::absolute(command.socket);
  cache::ServerOptions& server = options.server;
  server.store.disk_limit = bytes_option("--limit", command.limit);
  server.max_connections = command.connections;
  server.service.origin_url = command.origin;
  server.service.max_fetches = command.fetches;
  server.service.max_assembled_bytes = bytes_option("--memory", command.memory);
  server.service.eviction = &cache::eviction_policy(command.policy);
  server.service.sync = !command.no_sync;
  server.service.check_blocks = !command.no_check;
  return options;
}

ExitStatus serve(const ServeCommand& command, Terminal& terminal) {
  const cache::CacheProcess::Options options = options_of(command);
  install_interrupt_handler();
  if (options.socket.parent_path() == options.store) cache::open_store_directory(options.store);
  cache::CacheProcess cache(options);
  terminal.out << fmt::format("serving {} on {}, process {}\n", options.store.string(),
                              options.socket.string(), cache.pid())
               << std::flush;
  constexpr int kGlanceMs = 200;
  while (!interrupt_requested() && cache.running()) ::poll(nullptr, 0, kGlanceMs);
  if (!cache.running())
    throw RunError("cache serve: its process ended; `cache fsck` checks the store");
  cache.stop();
  return ExitStatus::ok;
}

}  // namespace

void add_cache_serve(Verb& cache) {
  Verb& verb = cache.add("serve", "serve a store on a Unix socket, until SIGINT or SIGTERM");
  auto command = std::make_shared<ServeCommand>();
  verb.option("--store", command->store, "folder of the store, made if it is missing",
              {.required = true});
  verb.option("--socket", command->socket, "socket to listen on (default: STORE/socket)");
  verb.option("--origin", command->origin,
              "URL of the origin to fetch from (default: none, and only what is held is served)");
  verb.option("--limit", command->limit, "bytes of the store on disk; 0: no limit",
              {.default_text = "8GiB"});
  verb.option("--memory", command->memory, "bytes of assembled images in memory",
              {.default_text = "2GiB"});
  verb.option("--connections", command->connections, "open at once; one more is refused",
              {.between = {{1, 4096}}, .default_text = "256"});
  verb.option("--fetches", command->fetches,
              "images fetched from the origin at once; one more waits",
              {.between = {{1, 256}}, .default_text = "8"});
  add_policy(verb, command->policy);
  verb.option("--no-sync", command->no_sync,
              "answer fetches before blocks are on the disk: a power cut may lose them");
  verb.option("--no-check", command->no_check,
              "do not hash blocks when an image is assembled: launchers verify anyway");
  verb.footer =
      "\nStarted by root, the cache itself runs as nobody, who is given the store.\n"
      "\nExamples:\n"
      "  missive-sim cache serve --store /var/cache/missive --origin http://127.0.0.1:8123\n"
      "  missive-sim cache serve --store cache --limit 500MiB --policy commonality\n";
  verb.action = [command](Terminal& terminal) { return serve(*command, terminal); };
}

}  // namespace missive::harness
