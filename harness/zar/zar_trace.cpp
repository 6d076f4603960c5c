// zar trace: what of an image its traced start touches.

#include <memory>

#include <fmt/format.h>

#include "harness/json_source.h"
#include "harness/table.h"
#include "harness/zar/zar_verb.h"
#include "real/zar/touched.h"

namespace missive::harness {

namespace {

struct TraceCommand {
  std::string image;
  bool list = false, json = false;
};

ExitStatus run(const TraceCommand& command, Terminal& terminal) {
  const OpenImage open(command.image);
  const zar::Image& image = open.image;
  if (image.launch_runs().empty())
    throw InputError(fmt::format(
        "{}: it knows no start; build it with --application or --trace (record one with: "
        "missive-sim trace APPLICATION --record FILE)",
        command.image));
  if (command.list) {
    for (const std::uint64_t block : zar::touched_blocks(image, image.block_size()).blocks)
      terminal.out << block << '\n';
    return ExitStatus::ok;
  }
  Json rows = Json::array();
  Table table({"block", "touched", "bytes", "of the image", "stretches"});
  std::uint64_t pages = 0;
  for (std::uint64_t size = 4096; size <= 1U << 20U; size *= 4) {
    const zar::Touched t = zar::touched_blocks(image, size);
    const std::uint64_t bytes = t.blocks.size() * size;
    pages = t.pages;
    rows.push_back({{"block_size", size},
                    {"blocks", t.blocks.size()},
                    {"bytes", bytes},
                    {"stretches", t.stretches}});
    table.add({fmt::format("{} KiB", size / 1024), std::to_string(t.blocks.size()),
               std::to_string(bytes),
               fmt::format("{:.1f} %", 100.0 * static_cast<double>(bytes) /
                                           static_cast<double>(image.shape().length)),
               std::to_string(t.stretches)});
  }
  if (command.json) {
    terminal.out
        << Json{{"runs", image.launch_runs().size()}, {"pages", pages}, {"touched", rows}}.dump(2)
        << '\n';
    return ExitStatus::ok;
  }
  terminal.out << fmt::format("{} runs, {} pages of files\n\n", image.launch_runs().size(), pages)
               << table.text();
  return ExitStatus::ok;
}

}  // namespace

void add_zar_trace(Verb& zar) {
  Verb& verb = zar.add("trace", "what of an image its recorded start touches, by block size");
  auto command = std::make_shared<TraceCommand>();
  verb.option("IMAGE", command->image, "image file, built with a recorded start",
              {.required = true});
  verb.option("--list", command->list, "the image's blocks, one a line, in the start's order");
  verb.option("--json", command->json, "as JSON");
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

}  // namespace missive::harness
