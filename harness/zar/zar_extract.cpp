// zar extract: an image becomes a directory tree.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/zar/zar_verb.h"
#include "real/zar/extract.h"
#include "real/zar/parallel.h"

namespace missive::harness {

namespace {

struct ExtractCommand {
  std::string image, directory, name;
  zar::ExtractOptions options;
};

ExitStatus run(const ExtractCommand& command, Terminal& terminal) {
  const OpenImage open(command.image);
  if (!command.name.empty()) {
    const zar::Digest found = zar::make_recipe(open.image, zar::thread_count(0)).name();
    if (found != zar::digest_from_hex(command.name))
      throw RunError(fmt::format("{}: its name is {}, not {}; nothing was extracted", command.image,
                                 zar::to_hex(found), command.name));
  }
  std::error_code error;
  std::filesystem::create_directory(command.directory, error);
  if (error)
    throw InputError(fmt::format("{}: cannot be made: {}", command.directory, error.message()));
  const zar::Extracted done = zar::extract(open.image, command.directory, command.options);
  terminal.out << fmt::format("files {}\ndirectories {}\nsymlinks {}\nbytes {}\nkept {}\n",
                              done.files, done.directories, done.symlinks, done.bytes, done.kept);
  return ExitStatus::ok;
}

}  // namespace

void add_zar_extract(Verb& zar) {
  Verb& verb = zar.add("extract", "unpack an image into a directory");
  auto command = std::make_shared<ExtractCommand>();
  verb.option("IMAGE", command->image, "image file", {.required = true});
  verb.option("DIRECTORY", command->directory, "made when it is missing", {.required = true});
  verb.option("--name", command->name, "first check that this is the image's name");
  verb.option("--resume", command->options.resume,
              "finish an extraction that was interrupted; keeps files that are done");
  verb.option("--partial", command->options.partial,
              "of partial files write what there is, the rest as a hole");
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

}  // namespace missive::harness
