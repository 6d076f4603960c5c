#pragma once
// For tests: an image that holds the test program itself, so that it can be started inside a
// picoprocess and say what it sees from there. The program's libraries go to the paths from which
// this process has them. A test file that uses it has its own main(), for the side inside.

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/launch/delivery.h"
#include "real/launch/picoprocess.h"
#include "real/launch/sealed_memory.h"
#include "real/measure/scratch.h"
#include "real/zar/builder.h"

namespace missive::launch::testing {

namespace fs = std::filesystem;

using TemporaryDirectory = measure::ScratchDirectory;

inline void put(const fs::path& file, const std::string& content) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

// The tree of the image: /probe (this program), its libraries, some data files and links.
inline void make_tree(const fs::path& tree) {
  for (const char* name : {"proc", "dev", "tmp", "run", "home", "var/tmp", "data/empty"}) {
    fs::create_directories(tree / name);
  }
  fs::copy_file("/proc/self/exe", tree / "probe");
  const auto add = [](dl_phdr_info* info, std::size_t, void* to) {
    const std::string name = info->dlpi_name;
    if (!name.starts_with('/') || !fs::exists(name)) return 0;
    const fs::path copy = *static_cast<const fs::path*>(to) / name.substr(1);
    fs::create_directories(copy.parent_path());
    fs::copy_file(name, copy, fs::copy_options::skip_existing);
    return 0;
  };
  fs::path destination = tree;
  ::dl_iterate_phdr(add, &destination);
  put(tree / "etc/passwd", "u:x:1000:1000::/home/u:/bin/sh\n");
  std::string block;
  for (int i = 0; i < 300'001; ++i) block += static_cast<char>((i * 2654435761u) >> 24);
  put(tree / "data/large", block);
  put(tree / "data/page", block.substr(0, 4096));
  put(tree / "data/nothing", "");
  for (int i = 0; i < 200; ++i) put(tree / "data/many" / std::to_string(i), std::to_string(i * i));
  fs::create_symlink("large", tree / "data/link");
  fs::create_symlink("/data/many/7", tree / "data/far");
  fs::create_symlink("nowhere", tree / "data/dangling");
}

// Tree and image, built once per test program.
class ProbeImage {
 public:
  ProbeImage() {
    tree_ = directory_.path() / "tree";
    make_tree(tree_);
    zar::Selection selection;
    selection.runs = {
        {"/data/large", 3, 20}, {"/data/large", 10, 40}, {"/data/page", 0, 1}, {"/probe", 0, 16}};
    const fs::path file = directory_.path() / "image";
    zar::build(tree_, selection, {}, file);
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    mapping_ = Mapping::read_only(fd.get(), fs::file_size(file), "the image");
    image_ = zar::Image::open(mapping_.bytes(), "image");
  }
  static const ProbeImage& get() {
    static const ProbeImage one;
    return one;
  }
  const fs::path& tree() const { return tree_; }
  const zar::Image& image() const { return image_; }

 private:
  TemporaryDirectory directory_;
  fs::path tree_;
  Mapping mapping_;
  zar::Image image_;
};

// Every regular file, link and directory below `root` that an image holds: path, kind, mode and
// content, one line each, sorted.
inline std::set<std::string> inventory(const fs::path& root) {
  std::set<std::string> lines;
  static const std::set<std::string> kPrivate = {"/proc", "/dev",  "/tmp",
                                                 "/run",  "/home", "/var/tmp"};
  for (auto at = fs::recursive_directory_iterator(root); at != fs::end(at); ++at) {
    std::string name = "/" + at->path().lexically_relative(root).string();
    if (kPrivate.contains(name)) {
      at.disable_recursion_pending();
      continue;
    }
    std::ostringstream line;
    struct stat status {};
    ::lstat(at->path().c_str(), &status);
    line << name << ' ' << std::oct << status.st_mode << std::dec << ' ';
    if (at->is_symlink()) {
      line << fs::read_symlink(at->path()).string();
    } else if (at->is_regular_file()) {
      std::ifstream in(at->path(), std::ios::binary);
      const std::string content{std::istreambuf_iterator<char>(in), {}};
      line << content.size() << ' ' << std::hash<std::string>()(content);
    }
    lines.insert(line.str());
  }
  return lines;
}

// Reads `fd` to its end, at most ten seconds.
inline std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    pollfd source{fd, POLLIN, 0};
    if (::poll(&source, 1, 10'000) <= 0) return text + "[no end within 10 s]";
    const ssize_t n = ::read(fd, part.data(), part.size());
    if (n <= 0) return text;
    text.append(part.data(), static_cast<std::size_t>(n));
  }
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe");
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
  }
  UniqueFd out, in;
};

inline Environment probe_environment(std::vector<std::string> arguments) {
  Environment environment;
  environment.command = {"/probe"};
  for (std::string& each : arguments) environment.command.push_back(std::move(each));
  // What sanitizers do at exit needs ptrace(2), which a picoprocess does not have.
  environment.variables = {"PATH=/usr/bin:/bin", "HOME=/home/u", "ASAN_OPTIONS=detect_leaks=0"};
  return environment;
}

// "key=value" lines as a map.
inline std::map<std::string, std::string> facts(const std::string& text) {
  std::map<std::string, std::string> result;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) result[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return result;
}

// An image as a cache hands it over: in a sealed memory file, mapped.
class SealedImage {
 public:
  // `file`: as zar::build() made it.
  explicit SealedImage(const fs::path& file) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const Mapping bytes = Mapping::read_only(fd.get(), fs::file_size(file), "image");
    file_ = sealed_file_of(bytes.bytes(), "image");
    mapping_ = Mapping::read_only(file_.get(), bytes.bytes().size(), "image");
    image_ = zar::Image::open(mapping_.bytes(), "image");
  }
  const zar::Image& image() const { return image_; }
  const UniqueFd& file() const { return file_; }
  std::span<const std::byte> bytes() const { return mapping_.bytes(); }

 private:
  UniqueFd file_;
  Mapping mapping_;
  zar::Image image_;
};

// Processes with `token` among their arguments, seen from the host.
inline std::set<std::string> processes_with(const std::string& token) {
  std::set<std::string> found;
  std::error_code ignored;
  for (const auto& each : fs::directory_iterator("/proc", ignored)) {
    std::ifstream in(each.path() / "cmdline", std::ios::binary);
    // A process that ends meanwhile has none, which getline() takes for the end.
    for (std::string line; std::getline(in, line);)
      if (line.find(token) != std::string::npos) found.insert(each.path().filename());
  }
  return found;
}

inline bool gone_within(const std::string& token, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!processes_with(token).empty()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(5000);
  }
  return true;
}

// Unique per call, so that tests running at the same time do not see each other.
inline std::string new_token() {
  static int count = 0;
  return "token-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

}  // namespace missive::launch::testing

#define MISSIVE_NEEDS_PICOPROCESS()                                                    \
  do {                                                                                 \
    const std::string why = ::missive::launch::picoprocess_unavailable();              \
    if (!why.empty()) GTEST_SKIP() << "picoprocesses are not available here: " << why; \
  } while (false)

#define MISSIVE_NEEDS_FUSE()                                                 \
  do {                                                                       \
    const std::string why = ::missive::launch::fuse_unavailable();           \
    if (!why.empty()) GTEST_SKIP() << "FUSE is not available here: " << why; \
  } while (false)
