// cache stat: what a running cache counts, or what a store at rest holds.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/cache/cache_verb.h"
#include "harness/json_source.h"
#include "harness/table.h"
#include "real/cache/client.h"
#include "real/cache/fsck.h"
#include "real/cache/metrics.h"

namespace missive::harness {

namespace {

struct StatCommand {
  std::string store, socket, format = "table";
  bool json = false;
};

using Metrics = std::vector<cache::Metric>;

Metrics of_running(const std::string& socket) {
  constexpr std::chrono::milliseconds kPatience{10'000};
  const auto text = cache::Client::connect(socket, kPatience).stat();
  return cache::decode_metrics(text, "cache at " + socket);
}

// By the names that a running cache has for the same, where it has one.
Metrics of_store(const std::string& store) {
  const cache::StoreReport r = cache::check_store(store, false);
  return {{"store_bytes", r.data_bytes + r.index_bytes},
          {"store_free_bytes", r.free_bytes},
          {"store_blocks", r.blocks},
          {"store_images", r.recipes},
          {"store_images_whole", r.images_whole},
          {"store_unreferenced_blocks", r.unreferenced_blocks},
          {"tags", r.tags},
          {"tag_bytes", r.tag_bytes}};
}

std::string prometheus(const Metrics& metrics) {
  std::string text;
  for (const cache::Metric& m : metrics) {
    for (const cache::MetricKind& kind : cache::metric_kinds())
      if (m.name == kind.name)
        text += fmt::format("# HELP missive_cache_{0} {1}\n# TYPE missive_cache_{0} {2}\n", m.name,
                            kind.what, kind.grows ? "counter" : "gauge");
    text += fmt::format("missive_cache_{} {}\n", m.name, m.value);
  }
  return text;
}

std::string table(const Metrics& metrics) {
  Table table({"what", "value"});
  for (const cache::Metric& m : metrics) table.add({m.name, std::to_string(m.value)});
  return table.text() + "\n";
}

ExitStatus stat(const StatCommand& command, Terminal& terminal) {
  if (command.store.empty() == command.socket.empty())
    throw InputError(
        "cache stat: give --store DIR (at rest) or --socket PATH (running), one of them");
  const bool running = !command.socket.empty();
  const Metrics metrics = running ? of_running(command.socket) : of_store(command.store);
  if (command.json || command.format == "json") {
    Json j;
    j["running"] = running;
    for (const cache::Metric& m : metrics) j[m.name] = m.value;
    terminal.out << j.dump(2) << '\n';
  } else {
    terminal.out << (command.format == "prometheus" ? prometheus(metrics) : table(metrics));
  }
  return ExitStatus::ok;
}

}  // namespace

void add_cache_stat(Verb& cache) {
  Verb& verb = cache.add("stat", "what a running cache counts, or what a store at rest holds");
  auto command = std::make_shared<StatCommand>();
  verb.option("--store", command->store, "folder of a store that no cache runs on");
  verb.option("--socket", command->socket, "socket of a running cache");
  verb.option("--format", command->format, "table, json or prometheus (its text format)",
              {.one_of = {"table", "json", "prometheus"}, .default_text = "table"});
  verb.option("--json", command->json, "as JSON");
  verb.footer =
      "\nExamples:\n"
      "  missive-sim cache stat --socket cache/socket\n"
      "  missive-sim cache stat --socket cache/socket --format prometheus\n"
      "  missive-sim cache stat --store cache --json\n";
  verb.action = [command](Terminal& terminal) { return stat(*command, terminal); };
}

}  // namespace missive::harness
