// Packing "directory": one bundle for the small files of each directory. A bundle changes only when
// its directory does, and two images that hold the same directory have the same bundle.

#include <string_view>
#include <unordered_map>

#include "real/zar/layout.h"
#include "real/zar/packing.h"

namespace missive::zar {

namespace {

Packed pack(std::span<const Content> contents, std::uint32_t block_size) {
  Packed packed;
  Packer packer(packed);
  // A directory's files do not lie side by side in path order: its subdirectories come in between.
  std::unordered_map<std::string_view, std::size_t> number;
  std::vector<std::vector<std::uint32_t>> bundles;
  for (std::uint32_t i = 0; i < contents.size(); ++i) {
    if (contents[i].size >= kPage) continue;
    const std::string_view path = contents[i].path;
    const auto [at, fresh] = number.try_emplace(path.substr(0, path.rfind('/')), bundles.size());
    if (fresh) bundles.emplace_back();
    bundles[at->second].push_back(i);
  }
  for (const auto& bundle : bundles) {
    packer.begin(true, false);
    for (const std::uint32_t i : bundle) packer.add(i, contents[i].size);
  }
  pack_large(contents, block_size, packed);
  return packed;
}

}  // namespace

const PackingChoice kPackingDirectory = {
    5, "directory", "the small files of each directory share pages", true, pack};

}  // namespace missive::zar
