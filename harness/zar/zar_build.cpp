// zar build: a directory tree becomes an image.

#include <fstream>
#include <memory>

#include <fmt/format.h>

#include "harness/output_dir.h"
#include "harness/zar/build_options.h"
#include "harness/zar/zar_verb.h"
#include "real/launch/application.h"
#include "real/process.h"

namespace missive::harness {

namespace {

std::vector<std::string> read_lines(const std::string& file) {
  std::ifstream in(file);
  if (!in)
    throw InputError(fmt::format("{}: cannot be read; name a file of one path a line", file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) lines.push_back(line);
  return lines;
}

template <typename Registry>
void choice(Verb& verb, const std::string& name, std::string& value, const std::string& what,
            const Registry& registry) {
  std::string help = what + ":";
  for (const auto* c : registry) help += fmt::format("\n  {:10} {}", c->name, c->what);
  verb.option(name, value, help, {.default_text = value});
}

}  // namespace

BuildFlags::Ptr add_build_flags(Verb& verb) {
  auto flags = std::make_shared<BuildFlags>();
  verb.option("--block-size", flags->block_size, "power of two, 4KiB to 1MiB",
              {.default_text = flags->block_size});
  verb.option("--degree", flags->options.degree, "children of a tree node",
              {.between = {{2, 256}}, .default_text = "128"});
  choice(verb, "--packing", flags->options.packing, "which files share pages", zar::packings());
  choice(verb, "--placement", flags->options.placement, "where files lie", zar::placements());
  choice(verb, "--units", flags->options.units, "what is hashed and sent as a whole",
         zar::unit_choices());
  verb.option("--chunk", flags->chunk, "sizes of units cdc: MIN:AVERAGE:MAX",
              {.default_text = flags->chunk});
  verb.option("--tree", flags->options.tree,
              "plain, or fs-verity: the name is what `fsverity digest` prints",
              {.default_text = "plain"});
  verb.option("--application", flags->application,
              "only the files that its recorded start opens, and its launch runs");
  verb.option("--trace", flags->trace, "the same from a trace file (.trace.gz)");
  verb.option("--touched", flags->touched, "of these files only the pages that it touches");
  verb.option("--absent", flags->absent, "file of names that do not exist, one a line");
  verb.option("--no-holes", flags->no_holes, "store holes of sparse files as zeros");
  verb.option("--threads", flags->options.threads, "0: one for each CPU", {.default_text = "0"});
  verb.option("--recipe", flags->recipe, "also write the recipe to this file");
  verb.option("--quiet", flags->quiet, "no progress");
  return flags;
}

ExitStatus build_image(const std::string& tree, const std::string& image, BuildFlags& flags,
                       Terminal& terminal) {
  zar::BuildOptions& options = flags.options;
  options.block_size = size_option("--block-size", flags.block_size, 1U << 20U);
  options.holes = !flags.no_holes;
  const std::size_t first = flags.chunk.find(':'), second = flags.chunk.rfind(':');
  if (first == std::string::npos || first == second)
    throw InputError(
        fmt::format("--chunk {}: expected MIN:AVERAGE:MAX, such as 4KiB:16KiB:64KiB", flags.chunk));
  const auto chunk_size = [&](std::size_t from, std::size_t to) {
    return size_option("--chunk", flags.chunk.substr(from, to - from), 16U << 20U);
  };
  options.chunking = {chunk_size(0, first), chunk_size(first + 1, second),
                      chunk_size(second + 1, flags.chunk.size())};

  zar::Selection selection;
  if (!flags.trace.empty())
    selection = launch::read_trace(flags.trace).selection;
  else if (!flags.application.empty())
    selection =
        launch::read_trace(launch::trace_file(launch::application(flags.application))).selection;
  else if (flags.touched)
    throw InputError("--touched: needs a recorded start; give --application or --trace");
  selection.touched_only = flags.touched;
  if (!flags.absent.empty()) selection.absent = read_lines(flags.absent);

  Progress progress = progress_for(terminal, flags.quiet);
  install_interrupt_handler();
  options.progress = [&](std::uint64_t done, std::uint64_t all) {
    check_interrupt();
    progress.update(done >> 20U, all >> 20U, "MiB written");
  };
  const zar::BuildReport report = zar::build(tree, selection, options, image);
  if (!flags.recipe.empty()) {
    const auto wire = report.recipe.serialize();
    write_atomically(flags.recipe, {reinterpret_cast<const char*>(wire.data()), wire.size()});
  }
  terminal.out << fmt::format(
      "name {}\nlength {}\nblocks {}\nunits {}\nfiles {}\ndirectories {}\nsymlinks {}\n"
      "content {}\npadding {}\nmetadata {}\nmissing {}\nleft_out {}\n",
      zar::to_hex(report.name), report.recipe.shape.length, report.recipe.shape.blocks(),
      report.recipe.leaves.size(), report.files, report.directories, report.symlinks,
      report.content_bytes, report.padding_bytes, report.metadata_bytes, report.missing.size(),
      report.left_out);
  if (options.placement == "stable")
    terminal.out << fmt::format("scrap_items {}\nscrap_bytes {}\n", report.scrap_items,
                                report.scrap_bytes);
  return ExitStatus::ok;
}

void add_zar_build(Verb& zar) {
  Verb& verb = zar.add("build", "pack a directory tree into an image");
  auto tree = std::make_shared<std::string>(), image = std::make_shared<std::string>();
  verb.option("TREE", *tree, "directory", {.required = true});
  verb.option("IMAGE", *image, "file to write", {.required = true});
  const BuildFlags::Ptr flags = add_build_flags(verb);
  verb.action = [tree, image, flags](Terminal& terminal) {
    return build_image(*tree, *image, *flags, terminal);
  };
}

}  // namespace missive::harness
