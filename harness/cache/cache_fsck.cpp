// cache fsck: whether all of a store at rest is what it says.

#include <memory>

#include <fmt/format.h>

#include "harness/cache/cache_verb.h"
#include "harness/json_source.h"
#include "real/cache/fsck.h"

namespace missive::harness {

namespace {

struct FsckCommand {
  std::string store;
  bool repair = false, quick = false, json = false;
};

Json as_json(const cache::StoreReport& r, bool repaired) {
  Json j;
  j["damage"] = r.damage;
  j["repaired"] = repaired;
  j["blocks"] = r.blocks;
  j["recipes"] = r.recipes;
  j["tags"] = r.tags;
  j["bad_contents"] = r.bad.size();
  j["images_whole"] = r.images_whole;
  j["images_in_part"] = r.images_in_part;
  j["unreferenced_blocks"] = r.unreferenced_blocks;
  j["bytes"] = {{"blocks", r.data_bytes},
                {"blocks.index", r.index_bytes},
                {"tags", r.tag_bytes},
                {"free", r.free_bytes}};
  return j;
}

std::string as_text(const cache::StoreReport& r, bool repaired) {
  std::string text;
  for (const std::string& line : r.damage) text += fmt::format("damage: {}\n", line);
  text += fmt::format(
      "{} blocks, {} recipes ({} images whole, {} in part), {} tags; {} blocks of no image; "
      "{} bytes free\n",
      r.blocks, r.recipes, r.images_whole, r.images_in_part, r.tags, r.unreferenced_blocks,
      r.free_bytes);
  if (r.damage.empty()) return text + "clean\n";
  return text + (repaired ? "repaired: what was damaged is dropped, an origin has it too\n"
                          : "damaged; --repair drops what is damaged\n");
}

ExitStatus fsck(const FsckCommand& command, Terminal& terminal) {
  const cache::StoreReport report = cache::check_store(command.store, !command.quick);
  const bool repair = command.repair && !report.damage.empty();
  if (repair) {
    cache::repair_store(command.store, report);
    if (!cache::check_store(command.store, !command.quick).damage.empty())
      throw RunError("cache store " + command.store +
                     ": still damaged after repair; check the disk");
  }
  terminal.out << (command.json ? as_json(report, repair).dump(2) + "\n" : as_text(report, repair));
  return report.damage.empty() || repair ? ExitStatus::ok : ExitStatus::run_failed;
}

}  // namespace

void add_cache_fsck(Verb& cache) {
  Verb& verb = cache.add("fsck", "check every block, recipe, tag and record of a store at rest");
  auto command = std::make_shared<FsckCommand>();
  verb.option("--store", command->store, "folder of the store", {.required = true});
  verb.option("--repair", command->repair, "drop what is damaged");
  verb.option("--quick", command->quick, "do not hash blocks");
  verb.option("--json", command->json, "as JSON");
  verb.footer =
      "\nExit status: 0 clean, or repaired; 1 damaged, or in use; 2 no store there.\n"
      "\nExamples:\n"
      "  missive-sim cache fsck --store cache\n"
      "  missive-sim cache fsck --store cache --repair --json\n";
  verb.action = [command](Terminal& terminal) { return fsck(*command, terminal); };
}

}  // namespace missive::harness
