#include "harness/launch_facts.h"

#include <fstream>

#include "harness/output_dir.h"
#include "models/error.h"
#include "real/data_dir.h"
#include "real/launch/application.h"

namespace missive::harness {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFormat = "missive-sim/launch-facts/4";

// Nothing for facts that another version of this program wrote.
std::optional<LaunchFacts> read(const fs::path& file, std::ifstream& in) {
  try {
    const Json j = Json::parse(in);
    if (j.at("format") != kFormat) return std::nullopt;
    const Json& i = j.at("image");
    LaunchFacts f;
    f.image.length = {i.at("length")};
    f.image.block_size = i.at("block_size");
    f.image.blocks = i.at("blocks");
    f.image.recipe = {i.at("recipe")};
    f.image.nodes = {i.at("nodes")};
    f.image.files = i.at("files");
    f.image.content = {i.at("content")};
    f.image.nodes_other = i.at("nodes_other");
    f.image.symlinks = i.at("symlinks");
    f.image.runs = i.at("runs");
    f.image.run_bytes = {i.at("run_bytes")};
    f.image.directories = i.at("directories");
    f.image.listed = i.at("listed");
    f.image.links = i.at("links");
    f.image.front_blocks = i.at("front_blocks");
    f.image.run_blocks = i.at("run_blocks");
    f.image.pieces = i.at("pieces");
    f.application.lookups = j.at("lookups");
    f.missing_cold = j.at("missing").at("cold");
    f.missing_warm = j.at("missing").at("warm");
    return f;
  } catch (const Json::exception& e) {
    throw InputError(file.string() + ": " + e.what() +
                     "; remove it, the next real run writes it anew");
  }
}

}  // namespace

std::string facts_key(const LaunchPoint& p) {
  return p.application + "+" + p.warm_with + "-" + std::to_string(p.block_size.count) + "-" +
         std::to_string(p.degree) + (p.pack_small_files ? "-packed" : "-unpacked");
}

LaunchFacts facts_of(const launch::Testbed& testbed) {
  return {testbed.image(), testbed.application(), testbed.missing(Temperature::cold),
          testbed.missing(Temperature::warm)};
}

std::optional<LaunchFacts> load_facts(const std::string& key) {
  for (const fs::path& folder : {launch::home() / "facts", data_dir() / "traces" / "facts"}) {
    const fs::path file = folder / (key + ".json");
    if (std::ifstream in(file); in)
      if (auto facts = read(file, in)) return facts;
  }
  return std::nullopt;
}

void save_facts(const std::string& key, const LaunchFacts& f) {
  const Json j{{"format", kFormat},
               {"image",
                {{"length", f.image.length.count},
                 {"block_size", f.image.block_size},
                 {"blocks", f.image.blocks},
                 {"recipe", f.image.recipe.count},
                 {"nodes", f.image.nodes.count},
                 {"files", f.image.files},
                 {"content", f.image.content.count},
                 {"nodes_other", f.image.nodes_other},
                 {"symlinks", f.image.symlinks},
                 {"runs", f.image.runs},
                 {"run_bytes", f.image.run_bytes.count},
                 {"directories", f.image.directories},
                 {"listed", f.image.listed},
                 {"links", f.image.links},
                 {"front_blocks", f.image.front_blocks},
                 {"run_blocks", f.image.run_blocks},
                 {"pieces", f.image.pieces}}},
               {"lookups", f.application.lookups},
               {"missing", {{"cold", f.missing_cold}, {"warm", f.missing_warm}}}};
  write_atomically(launch::home() / "facts" / (key + ".json"), j.dump(1) + "\n");
}

}  // namespace missive::harness
