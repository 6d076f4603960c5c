// zar blocks: the block lists of Debian packages, for experiments of kind "commonality".

#include <memory>

#include <fmt/format.h>

#include "harness/zar/zar_verb.h"
#include "real/commonality/block_list.h"
#include "real/gzip.h"
#include "real/process.h"

namespace missive::harness {

namespace {

struct BlocksCommand {
  std::vector<std::string> packages, units{"4KiB", "64KiB", "cdc"};
  std::string out = ".";
};

ExitStatus run(const BlocksCommand& command) {
  std::vector<commonality::Cutting> cuttings;
  for (const std::string& name : command.units)
    cuttings.push_back(commonality::parse_cutting(name));
  install_interrupt_handler();
  for (const std::string& package : command.packages) {
    check_interrupt();
    const std::filesystem::path deb = package;
    write_gzip(std::filesystem::path(command.out) / (deb.stem().string() + ".list.gz"),
               commonality::list_package(deb, cuttings));
  }
  return ExitStatus::ok;
}

}  // namespace

void add_zar_blocks(Verb& zar) {
  Verb& verb =
      zar.add("blocks", "list the blocks of Debian packages by their hashes (traces/commonality)");
  auto command = std::make_shared<BlocksCommand>();
  verb.option("DEB", command->packages, "packages, named as apt names them", {.required = true});
  verb.option("--units", command->units, "how files are cut: block sizes, cdc",
              {.default_text = "4KiB,64KiB,cdc", .separator = ','});
  verb.option("--out", command->out, "directory for the lists, PACKAGE.list.gz",
              {.default_text = "."});
  verb.action = [command](Terminal&) { return run(*command); };
}

}  // namespace missive::harness
