// list_package(): a .deb as a stream, each regular file cut in every way.

#include <algorithm>
#include <array>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include "models/error.h"
#include "models/nearest.h"
#include "models/quantity.h"
#include "real/commonality/block_list.h"
#include "real/zar/import/archive.h"
#include "real/zar/units.h"

namespace missive::commonality {

namespace {

constexpr std::size_t kLongestFile = std::size_t{4} << 30;

std::vector<std::byte> content(archive* a, const std::string& where) {
  std::vector<std::byte> bytes;
  const void* buffer = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  int r = ARCHIVE_OK;
  while ((r = ::archive_read_data_block(a, &buffer, &size, &offset)) == ARCHIVE_OK) {
    const std::size_t end = static_cast<std::size_t>(offset) + size;
    if (end > kLongestFile) throw InputError(where + ": a file of more than 4 GiB; not supported");
    bytes.resize(std::max(bytes.size(), end));
    std::copy_n(static_cast<const std::byte*>(buffer), size, bytes.data() + offset);
  }
  if (r != ARCHIVE_EOF) {
    const char* why = ::archive_error_string(a);
    throw InputError(where + ": damaged (" + (why == nullptr ? "no reason given" : why) + ")");
  }
  return bytes;
}

// "./usr/bin/x" to "/usr/bin/x"; tabs and newlines would end a field.
std::string listed_path(const char* name) {
  std::string path = name == nullptr ? "" : name;
  if (path.starts_with("./")) path.erase(0, 1);
  if (!path.starts_with('/')) path.insert(0, 1, '/');
  for (char& c : path)
    if (static_cast<unsigned char>(c) < 0x20) c = '?';
  return path;
}

bool is_documentation(const std::string& path) {
  static constexpr std::array kTrees{"doc/",     "man/",    "info/",    "help/",
                                     "gtk-doc/", "locale/", "lintian/", "doc-base/"};
  constexpr std::string_view kShare = "/usr/share/";
  if (!path.starts_with(kShare)) return false;
  return std::any_of(kTrees.begin(), kTrees.end(), [&](const char* tree) {
    return path.compare(kShare.size(), std::string_view(tree).size(), tree) == 0;
  });
}

// The cutters of one package, with the state of none of its files.
class Cutters {
 public:
  explicit Cutters(const std::vector<Cutting>& cuttings) : cuttings_(cuttings) {
    for (const Cutting& c : cuttings)
      cutters_.push_back(c.block != 0 ? nullptr : zar::kUnitCdc.cutter(0, zar::Chunking{}));
  }

  // Lines "U"; none where a file is one unit.
  void append(std::string& text, std::span<const std::byte> file) {
    for (std::size_t i = 0; i < cuttings_.size(); ++i) {
      std::string units;
      std::size_t count = 0;
      for (std::size_t at = 0; at < file.size(); ++count) {
        const std::size_t length = next(i, file.subspan(at));
        units += fmt::format("{:016x}", hash64(file.subspan(at, length)));
        if (cuttings_[i].block == 0) units += fmt::format("{:05x}", length);
        at += length;
      }
      if (cutters_[i] != nullptr) cutters_[i]->reset();
      if (count > 1) text += fmt::format("U\t{}\t{}\n", i, units);
    }
  }

 private:
  std::size_t next(std::size_t i, std::span<const std::byte> rest) {
    if (cutters_[i] == nullptr) return std::min<std::size_t>(cuttings_[i].block, rest.size());
    return cutters_[i]->next(rest).count;
  }

  const std::vector<Cutting>& cuttings_;
  std::vector<std::unique_ptr<zar::Cutter>> cutters_;
};

// "libc6_2.36-9+deb12u14_amd64.deb" to "libc6=2.36-9+deb12u14"; apt writes an epoch's ':' as %3a.
std::string package_of(const std::filesystem::path& deb) {
  const std::string stem = deb.stem();
  const std::size_t first = stem.find('_'), second = stem.find('_', first + 1);
  if (first == std::string::npos || second == std::string::npos)
    throw InputError(deb.string() + ": not named PACKAGE_VERSION_ARCHITECTURE.deb, as apt does");
  std::string version = stem.substr(first + 1, second - first - 1);
  if (const std::size_t colon = version.find("%3a"); colon != std::string::npos)
    version.replace(colon, 3, ":");
  return stem.substr(0, first) + "=" + version;
}

}  // namespace

Cutting parse_cutting(const std::string& name) {
  if (name == "cdc") return {name, 0};
  try {
    const Bytes size = parse_bytes(name);
    if (size.count >= 512 && size.count <= (1 << 30) && (size.count & (size.count - 1)) == 0)
      return {name, static_cast<std::uint32_t>(size.count)};
  } catch (const std::invalid_argument&) {
  }
  throw InputError("units \"" + name +
                   "\": expected cdc or a block size that is a power of two, like 64KiB");
}

std::string list_package(const std::filesystem::path& deb, const std::vector<Cutting>& cuttings) {
  std::string names;
  for (const Cutting& c : cuttings) names += (names.empty() ? "" : ",") + c.name;
  std::string text = "# missive-sim/block-lists/1 digest=blake2b/64 units=" + names + "\n";
  text += "P\t" + package_of(deb) + "\n";
  Cutters cutters(cuttings);
  zar::for_each_deb_entry(deb, [&](archive* a, archive_entry* entry) {
    if (::archive_entry_filetype(entry) != AE_IFREG || ::archive_entry_hardlink(entry) != nullptr)
      return true;
    const std::string path = listed_path(::archive_entry_pathname(entry));
    const std::vector<std::byte> file = content(a, deb.string() + ": " + path);
    text += fmt::format("F\t{}\t{:016x}\t{}\t{}\n", file.size(), hash64(file),
                        is_documentation(path) ? "d" : "-", path);
    cutters.append(text, file);
    return true;
  });
  return text;
}

}  // namespace missive::commonality
