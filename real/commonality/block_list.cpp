// read_block_lists(): the reader of *.lists.gz (format: traces/commonality/README.md).

#include "real/commonality/block_list.h"

#include <charconv>
#include <string_view>
#include <unordered_map>

#include "models/error.h"
#include "real/gzip.h"

namespace missive::commonality {

namespace {

constexpr std::size_t kMaxText = std::size_t{1} << 30;
constexpr std::string_view kHeader = "# missive-sim/block-lists/1 digest=blake2b/64 units=";

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

class Parser {
 public:
  explicit Parser(std::string file) : file_(std::move(file)) {}

  BlockLists parse(std::string_view text) {
    if (!text.starts_with(kHeader)) fail("not block lists: no '" + std::string(kHeader) + "...'");
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      if (end == std::string_view::npos) fail("last line has no end");
      const std::string_view line = text.substr(0, end);
      line_ == 1 ? header(line) : body(line);
      text.remove_prefix(end + 1);
      ++line_;
    }
    --line_;
    if (lists_.applications.empty()) fail("no application (A line)");
    return std::move(lists_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(file_ + ":" + std::to_string(line_) + ": " + what +
                     "; make it again with scripts/commonality-data");
  }

  std::uint64_t number(std::string_view text, int base, const char* what) const {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size())
      fail(std::string(what) + " is not a number");
    return value;
  }

  void header(std::string_view line) {
    for (const std::string_view name : split(line.substr(kHeader.size()), ',')) try {
        lists_.cuttings.push_back(parse_cutting(std::string(name)));
      } catch (const InputError& e) {
        fail(e.what());
      }
  }

  void body(std::string_view line) {
    const auto f = split(line, '\t');
    if (f[0] == "P" && f.size() == 2) {
      if (!places_.emplace(f[1], lists_.packages.size()).second) fail("package given twice");
      lists_.packages.push_back({std::string(f[1]), {}});
    } else if (f[0] == "F" && f.size() == 5) {
      file(f);
    } else if (f[0] == "U" && f.size() == 3) {
      units(f);
    } else if (f[0] == "A" && f.size() == 4) {
      application(f);
    } else {
      fail("unknown line; expected P, F, U or A");
    }
  }

  void file(const std::vector<std::string_view>& f) {
    if (lists_.packages.empty()) fail("a file before any package");
    ListedFile file;
    file.size = number(f[1], 10, "size");
    if (file.size > std::uint64_t{4} << 30) fail("a file of more than 4 GiB");
    file.digest = number(f[2], 16, "digest");
    file.documentation = f[3] == "d";
    file.path = f[4];
    file.units.resize(lists_.cuttings.size());
    lists_.packages.back().files.push_back(std::move(file));
  }

  void units(const std::vector<std::string_view>& f) {
    if (lists_.packages.empty() || lists_.packages.back().files.empty())
      fail("units before any file");
    const std::uint64_t which = number(f[1], 10, "units");
    if (which >= lists_.cuttings.size()) fail("units of a cutting that the header does not name");
    ListedFile& of = lists_.packages.back().files.back();
    const std::uint32_t block = lists_.cuttings[which].block;
    const std::size_t width = block != 0 ? 16 : 21;
    if (f[2].empty() || f[2].size() % width != 0) fail("units are cut off");
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < f[2].size(); i += width) {
      const std::uint64_t hash = number(f[2].substr(i, 16), 16, "hash");
      const std::uint64_t left = of.size - std::min(at, of.size);
      const std::uint64_t length = block != 0 ? std::min<std::uint64_t>(block, left)
                                              : number(f[2].substr(i + 16, 5), 16, "length");
      if (length == 0 || length > left) fail("units are longer than their file");
      of.units[which].push_back({hash, static_cast<std::uint32_t>(length)});
      at += length;
    }
    if (at != of.size) fail("units are shorter than their file");
  }

  void application(const std::vector<std::string_view>& f) {
    ListedApplication a{std::string(f[1]), std::string(f[2]), {}};
    for (const std::string_view name : split(f[3], ',')) {
      const auto found = places_.find(std::string(name));
      if (found == places_.end()) fail("package " + std::string(name) + " is not listed above");
      a.packages.push_back(static_cast<std::uint32_t>(found->second));
    }
    lists_.applications.push_back(std::move(a));
  }

  std::string file_;
  std::size_t line_ = 1;
  BlockLists lists_;
  std::unordered_map<std::string, std::size_t> places_;
};

}  // namespace

BlockLists read_block_lists(const std::filesystem::path& file) {
  const std::string text =
      read_gzip(file, kMaxText, "file of block lists", "make it with scripts/commonality-data");
  return Parser(file.string()).parse(text);
}

}  // namespace missive::commonality
