#include "harness/structure_tree.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

#include "models/error.h"
#include "models/random.h"
#include "real/data_dir.h"
#include "real/launch/application.h"
#include "real/made_once.h"
#include "real/process.h"

namespace missive::harness {

namespace fs = std::filesystem;

namespace {

const std::regex& list_name() {
  static const std::regex pattern("list:([a-z0-9-]+)(~([1-9]))?");
  return pattern;
}
const std::regex& package_name() {
  static const std::regex pattern("([a-z0-9][a-z0-9+.-]+)@([a-z-]+)");
  return pattern;
}
constexpr std::array<const char*, 4> kSuites = {"bookworm", "bookworm-security",
                                                "bookworm-proposed", "trixie"};

fs::path list_file(const std::string& name) {
  return data_dir() / "traces" / "lists" / (name + ".list.gz");
}

struct ListedFile {
  std::uint64_t size = 0, digest = 0;
  std::uint64_t package = 0;
  std::string path;
};

ListedFile parse_line(const std::string& line, const std::string& where) {
  ListedFile f;
  std::array<std::size_t, 3> tab{};
  std::size_t at = 0;
  for (std::size_t& t : tab) {
    t = line.find('\t', at);
    if (t == std::string::npos) break;
    at = t + 1;
  }
  const auto number = [&](std::size_t from, std::size_t to, std::uint64_t& value, int base) {
    const auto r = std::from_chars(line.data() + from, line.data() + to, value, base);
    return r.ec == std::errc() && r.ptr == line.data() + to;
  };
  const bool good = tab[0] != std::string::npos && tab[1] != std::string::npos &&
                    tab[2] != std::string::npos && number(0, tab[0], f.size, 10) &&
                    number(tab[0] + 1, tab[1], f.digest, 16) &&
                    number(tab[1] + 1, tab[2], f.package, 10);
  if (good) f.path = line.substr(tab[2] + 1);
  if (!good || f.path.empty() || f.path.front() != '/' ||
      f.path.find("/../") != std::string::npos || f.size > (std::uint64_t{1} << 32))
    throw InputError(where +
                     ": not a line of size, digest, package and path; see traces/README.md");
  return f;
}

std::vector<ListedFile> read_list(const fs::path& file) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> gz(::gzopen(file.c_str(), "rbe"), ::gzclose_r);
  if (gz == nullptr)
    throw InputError(file.string() + ": cannot be read; known are the files beside it");
  std::vector<ListedFile> files;
  std::array<char, 8192> line;
  while (::gzgets(gz.get(), line.data(), static_cast<int>(line.size())) != nullptr) {
    std::string text(line.data());
    if (!text.empty() && text.back() == '\n') text.pop_back();
    files.push_back(parse_line(text, fmt::format("{}:{}", file.string(), files.size() + 1)));
  }
  return files;
}

// An invented update: of the packages one in twelve is rebuilt (a security update of Debian changed
// 19 of abiword's 235). Of a rebuilt package's files half change: each 32 KiB has one chance in two
// of 64 other bytes, and half of them grow by a hundredth.
constexpr std::uint64_t kRebuiltOneIn = 12, kEditUnit = 32768, kEditBytes = 64;

struct Edits {
  bool rebuilt = false, changed = false, grows = false;
  std::uint64_t seed = 0;
};

Edits edits_of(const ListedFile& f, std::uint64_t version) {
  Edits e;
  if (version == 0) return e;
  Random package(version, f.package + 1);
  e.rebuilt = package.below(kRebuiltOneIn) == 0;
  if (!e.rebuilt) return e;
  Random file(version, f.digest);
  e.changed = file.below(2) == 0;
  e.grows = e.changed && file.below(2) == 0;
  e.seed = file.bits();
  return e;
}

std::uint64_t mixed(std::uint64_t x) {  // the finaliser of MurmurHash3 (Appleby, public domain)
  x ^= x >> 33U;
  x *= 0xff51afd7ed558ccdU;
  x ^= x >> 33U;
  x *= 0xc4ceb9fe1a85ec53U;
  return x ^ (x >> 33U);
}

void write_content(std::ofstream& out, const ListedFile& f, const Edits& e, std::uint64_t size) {
  std::vector<std::uint64_t> words(1 << 15);
  for (std::uint64_t at = 0; at < size;) {
    const std::uint64_t n = std::min<std::uint64_t>(words.size() * 8, size - at);
    for (std::size_t i = 0; i < words.size() && i * 8 < n; ++i) {
      const std::uint64_t byte = at + i * 8, unit = byte / kEditUnit;
      std::uint64_t key = f.digest;
      if (e.changed && byte % kEditUnit < kEditBytes &&
          (unit == 0 || mixed(e.seed + unit) % 2 == 0))
        key ^= e.seed | 1U;
      words[i] = mixed(key * 0x9e3779b97f4a7c15U + byte + 1);
    }
    out.write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(n));
    at += n;
  }
}

fs::file_time_type made_at(std::uint64_t version) {
  return std::chrono::file_clock::from_sys(
      std::chrono::sys_seconds(std::chrono::days(20000 + version)));
}

void write_file(const fs::path& root, const ListedFile& f, std::uint64_t version, bool content) {
  const fs::path file = root.string() + f.path;
  fs::create_directories(file.parent_path());
  const Edits e = edits_of(f, version);
  const std::uint64_t size = e.grows ? f.size + f.size / 100 + 1 : f.size;
  std::ofstream out(file, std::ios::binary);
  if (content) write_content(out, f, e, size);
  out.close();
  if (!out) throw RunError(file.string() + ": cannot be written; is the disk full?");
  if (!content) fs::resize_file(file, size);
  // Files of rebuilt packages get another time, all others keep theirs.
  fs::last_write_time(file, made_at(e.rebuilt ? version : 0));
}

}  // namespace

bool invented(const std::string& name) { return std::regex_match(name, list_name()); }

std::string check_tree_name(const std::string& name) {
  std::smatch m;
  if (std::regex_match(name, m, list_name())) {
    if (fs::exists(list_file(m[1]))) return "";
    return fmt::format("there is no list '{}'; traces/lists has those that are", m[1].str());
  }
  if (std::regex_match(name, m, package_name())) {
    for (const char* suite : kSuites)
      if (m[2] == suite) return "";
    return fmt::format("unknown suite '{}'; known are {}", m[2].str(), fmt::join(kSuites, ", "));
  }
  try {
    launch::application(name);
    return "";
  } catch (const InputError&) {
    return fmt::format(
        "'{}' is no tree; give an application ('gnumeric'), a package of a suite "
        "('abiword@bookworm') or a list ('list:geany')",
        name);
  }
}

fs::path StructureTrees::make_list(const std::string& name) {
  std::smatch m;
  std::regex_match(name, m, list_name());
  if (!scratch_) scratch_.emplace(measure::scratch_parent());
  const std::uint64_t version = m[3].matched ? std::stoul(m[3]) : 0;
  const fs::path root = scratch_->path() / std::to_string(trees_.size());
  for (const ListedFile& f : read_list(list_file(m[1]))) {
    check_interrupt();
    write_file(root, f, version, content_);
  }
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_directory()) fs::last_write_time(entry.path(), made_at(0));
  fs::last_write_time(root, made_at(0));
  return root;
}

const StructureTree& StructureTrees::get(const std::string& name) {
  if (const auto found = trees_.find(name); found != trees_.end()) return found->second;
  StructureTree tree;
  std::smatch m;
  if (std::regex_match(name, m, list_name())) {
    tree.root = make_list(name);
  } else if (std::regex_match(name, m, package_name())) {
    MadeOnce wanted;
    wanted.what = "tree of " + name;
    wanted.directory = launch::home() / "trees" / name;
    wanted.how = "fetching and unpacking its packages (once)";
    wanted.command = {(data_dir() / "scripts" / "package-tree").string()};
    wanted.rest = {m[2].str(), m[1].str()};
    tree.root = made_once(wanted);
  } else {
    const launch::Application& application = launch::application(name);
    tree.root = launch::ensure_root(application);
    tree.selection = launch::read_trace(launch::trace_file(application)).selection;
  }
  return trees_.emplace(name, std::move(tree)).first->second;
}

}  // namespace missive::harness
