// The verbs `zar` and `trace`: thin calls over real/zar and real/launch.

#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "harness/commands.h"
#include "models/quantity.h"
#include "real/fd.h"
#include "real/launch/application.h"
#include "real/trace/tracer.h"
#include "real/zar/builder.h"
#include "real/zar/image.h"

namespace missive::harness {
namespace {

// A file's bytes, mapped; the mapping outlives the descriptor (mmap(2)).
Mapping map_file(const std::string& name) {
  const UniqueFd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
    throw InputError(fmt::format("{}: no image: not a readable file with content", name));
  return Mapping::read_only(fd.get(), static_cast<std::size_t>(status.st_size), name);
}

}  // namespace

ExitStatus zar_build_command(const ZarBuildCommand& command, Terminal& terminal) {
  zar::BuildOptions options;
  try {
    const Bytes size = parse_bytes(command.block_size);
    if (size.count > 1U << 20U) throw std::invalid_argument("at most 1MiB");
    options.block_size = static_cast<std::uint32_t>(size.count);
  } catch (const std::invalid_argument& e) {
    throw InputError(fmt::format("--block-size: {}", e.what()));
  }
  options.degree = command.degree;
  options.pack_small_files = !command.no_packing;
  zar::Selection selection;
  if (!command.application.empty())
    selection =
        launch::read_trace(launch::trace_file(launch::application(command.application))).selection;
  const auto report = zar::build(command.tree, selection, options, command.image);
  terminal.out << fmt::format(
      "name {}\nlength {}\nblocks {}\nfiles {}\ndirectories {}\nsymlinks {}\ncontent {}\n"
      "padding {}\nmetadata {}\nmissing {}\n",
      zar::to_hex(report.name), report.recipe.shape.length, report.recipe.shape.blocks(),
      report.files, report.directories, report.symlinks, report.content_bytes, report.padding_bytes,
      report.metadata_bytes, report.missing.size());
  return ExitStatus::ok;
}

ExitStatus zar_ls_command(const std::string& name, Terminal& terminal) {
  const Mapping mapping = map_file(name);
  const zar::Image image = zar::Image::open(mapping.bytes(), name);
  for (const zar::Entry& entry : image.entries()) {
    const char kind = entry.kind == zar::EntryKind::directory ? 'd'
                      : entry.kind == zar::EntryKind::symlink ? 'l'
                                                              : '-';
    terminal.out << fmt::format("{}{:04o} {:>12} {:>12}  {}\n", kind, entry.mode, entry.size,
                                entry.offset, entry.path);
  }
  return ExitStatus::ok;
}

ExitStatus zar_verify_command(const std::string& file, const std::string& name,
                              Terminal& terminal) {
  const Mapping mapping = map_file(file);
  const zar::Image image = zar::Image::open(mapping.bytes(), file);
  const zar::Recipe recipe = zar::make_recipe(mapping.bytes(), image.block_size(), image.degree());
  const zar::Digest found = recipe.name();
  if (!name.empty() && found != zar::digest_from_hex(name))
    throw RunError(fmt::format("{}: its name is {}, not {}; it was changed or is another image",
                               file, zar::to_hex(found), name));
  terminal.out << zar::to_hex(found) << '\n';
  return ExitStatus::ok;
}

ExitStatus trace_command(const TraceCommand& command, Terminal& terminal) {
  std::filesystem::path file;
  if (!command.record.empty()) {
    const launch::Application& application = launch::application(command.what);
    file = command.record;
    trace::record_trace(application, launch::ensure_root(application), file);
  } else if (std::filesystem::exists(command.what)) {
    file = command.what;
  } else {
    file = launch::trace_file(launch::application(command.what));
  }
  const launch::LaunchTrace trace = launch::read_trace(file);
  Json facts = Json::object();
  facts["files"] = trace.selection.files.size();
  facts["runs"] = trace.selection.runs.size();
  facts["opens"] = trace.opens;
  facts["lookups_found"] = trace.lookups_found;
  facts["lookups_missing"] = trace.lookups_missing;
  facts["pages_touched"] = trace.pages_touched;
  if (command.json) {
    terminal.out << facts.dump(2) << '\n';
    return ExitStatus::ok;
  }
  for (const auto& [key, value] : facts.items())
    terminal.out << fmt::format("{} {}\n", key, value.dump());
  return ExitStatus::ok;
}

}  // namespace missive::harness
