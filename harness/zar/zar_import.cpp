// zar import: packages, archives, container images and single programs become an image.

#include <memory>

#include <fmt/format.h>

#include "harness/zar/build_options.h"
#include "harness/zar/zar_verb.h"
#include "real/data_dir.h"
#include "real/launch/application.h"
#include "real/process.h"
#include "real/zar/import/import.h"
#include "real/zar/import/packages.h"

namespace missive::harness {

namespace {

struct ImportCommand {
  std::string image, kind;
  std::vector<std::string> sources, packages;
  BuildFlags::Ptr flags;
};

ExitStatus run(ImportCommand& command, Terminal& terminal) {
  if (command.sources.empty() == command.packages.empty())
    throw InputError("zar import: name what to import, or --packages, one of both");
  Progress progress = progress_for(terminal, command.flags->quiet);
  std::vector<std::filesystem::path> sources(command.sources.begin(), command.sources.end());
  if (!command.packages.empty()) {
    progress.update(0, 0, "fetching packages");
    sources = zar::fetch_packages(data_dir() / "scripts" / "fetch-packages",
                                  launch::home() / "debs", command.packages);
  }
  install_interrupt_handler();  // what is unpacked goes, however this ends
  const zar::ScratchTree tree(command.image);
  zar::TreeWriter writer(tree.path());
  zar::ImportResult all;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    check_interrupt();
    progress.update(i + 1, sources.size(), sources[i].filename().string());
    const zar::ScratchTree scratch(command.image);
    const zar::ImportKind& kind = zar::import_kind(sources[i], command.kind);
    const zar::ImportResult done = kind.unpack(sources[i], writer, scratch.path());
    all.entries += done.entries;
    all.left_out += done.left_out;
  }
  writer.finish();
  terminal.out << fmt::format("sources {}\nentries {}\nspecial_files {}\n", sources.size(),
                              all.entries, all.left_out);
  return build_image(tree.path().string(), command.image, *command.flags, terminal);
}

}  // namespace

void add_zar_import(Verb& zar) {
  std::string kinds;
  for (const auto* kind : zar::import_kinds())
    kinds += fmt::format("\n  {:10} {}", kind->name, kind->what);
  Verb& verb = zar.add("import", "make an image of something else than a directory:" + kinds);
  auto command = std::make_shared<ImportCommand>();
  verb.option("IMAGE", command->image, "file to write", {.required = true});
  verb.option("SOURCE", command->sources, "files or OCI layouts; several go over each other");
  verb.option("--packages", command->packages,
              "Debian packages, fetched with their closure through apt", {.separator = ','});
  verb.option("--kind", command->kind, "what SOURCE is; found out from its content if not given");
  command->flags = add_build_flags(verb);
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

}  // namespace missive::harness
