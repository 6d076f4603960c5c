// The verb `zar`: images, by thin calls over real/zar.

#include <memory>

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "harness/verb_list.h"
#include "models/quantity.h"
#include "real/fd.h"
#include "real/launch/application.h"
#include "real/zar/builder.h"
#include "real/zar/image.h"

namespace missive::harness {
namespace {

struct BuildCommand {
  std::string tree, image;
  std::string application;  // "": every file of the tree; else what its recorded start opens
  std::string block_size = "64KiB";
  std::uint32_t degree = 128;
  bool no_packing = false;
};

// A file's bytes, mapped; the mapping outlives the descriptor (mmap(2)).
Mapping map_file(const std::string& name) {
  const UniqueFd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
    throw InputError(fmt::format("{}: no image: not a readable file with content", name));
  return Mapping::read_only(fd.get(), static_cast<std::size_t>(status.st_size), name);
}

ExitStatus build(const BuildCommand& command, Terminal& terminal) {
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

ExitStatus list(const std::string& name, Terminal& terminal) {
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

// `name`: what it must be, 64 hexadecimal digits; "" prints the name it has.
ExitStatus verify(const std::string& file, const std::string& name, Terminal& terminal) {
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

}  // namespace

void add_zar_verb(Verbs& verbs) {
  CLI::App* zar = verbs.add("zar", "build, list and verify application images");
  zar->require_subcommand(1);

  auto command = std::make_shared<BuildCommand>();
  CLI::App* verb = Verbs::add(zar, "build", "pack a directory tree into an image");
  verb->add_option("TREE", command->tree, "directory")->required();
  verb->add_option("IMAGE", command->image, "file to write")->required();
  verb->add_option("--application", command->application,
                   "only the files its recorded start opens");
  verb->add_option("--block-size", command->block_size, "power of two, 4KiB to 1MiB")
      ->default_str("64KiB");
  verb->add_option("--degree", command->degree, "children of a tree node")
      ->check(CLI::Range(2, 256))
      ->default_str("128");
  verb->add_flag("--no-packing", command->no_packing, "every file starts on a page");
  verbs.act(verb, [command](Terminal& terminal) { return build(*command, terminal); });

  auto image = std::make_shared<std::string>();
  auto name = std::make_shared<std::string>();
  verb = Verbs::add(zar, "ls", "list an image: mode, size, offset, path");
  verb->add_option("IMAGE", *image, "image file")->required();
  verbs.act(verb, [image](Terminal& terminal) { return list(*image, terminal); });
  verb = Verbs::add(zar, "verify", "hash an image and print or check its name");
  verb->add_option("IMAGE", *image, "image file")->required();
  verb->add_option("NAME", *name, "what its name must be, 64 hexadecimal digits");
  verbs.act(verb, [image, name](Terminal& terminal) { return verify(*image, *name, terminal); });
}

}  // namespace missive::harness
