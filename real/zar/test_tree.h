#pragma once
// For tests: a directory that goes away by itself, and small trees in it.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "real/measure/scratch.h"
#include "real/zar/builder.h"

namespace missive::zar {

using TemporaryDirectory = measure::ScratchDirectory;

// Repeatable bytes, not compressible, different for each seed.
inline std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() & 0xff);
  return text;
}

inline void set_time(const std::filesystem::path& path, std::int64_t seconds,
                     long nanoseconds = 0) {
  timespec t{};
  t.tv_sec = seconds;
  t.tv_nsec = nanoseconds;
  const timespec times[2] = {t, t};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw std::runtime_error("utimensat failed");
}

// Writes a file below `tree`, with its directories; the time is fixed so that trees can be
// compared.
inline void put(const std::filesystem::path& tree, const std::string& path,
                const std::string& content, std::int64_t time = 1'700'000'000) {
  const std::filesystem::path file = tree / path.substr(1);
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
  set_time(file, time, 123'456'789);
}

// Every directory and link gets a fixed time: writing into a directory changes it.
inline void fix_times(const std::filesystem::path& tree) {
  for (const auto& e : std::filesystem::recursive_directory_iterator(tree))
    if (e.is_directory() || e.is_symlink()) set_time(e.path(), 1'600'000'000);
  set_time(tree, 1'600'000'000);
}

// A bit of everything: empty, small, page-sized, block-sized files, links, an odd name.
inline void put_sample(const std::filesystem::path& tree) {
  put(tree, "/etc/empty", "");
  put(tree, "/etc/a.conf", "alpha\n");
  put(tree, "/etc/b.conf", noise(3000, 1));
  put(tree, "/etc/c.conf", noise(1500, 2));
  put(tree, "/usr/bin/program", noise(5000, 3));
  put(tree, "/usr/bin-extra/program", noise(4096, 4));
  put(tree, "/usr/lib/libbig.so.1", noise(200'000, 5));
  put(tree, "/usr/lib/libblock.so", noise(65'536, 6));
  put(tree, "/usr/share/odd name\n\xff", "odd");
  std::filesystem::create_directory_symlink("usr/lib", tree / "lib");
  std::filesystem::create_symlink("libbig.so.1", tree / "usr/lib/libbig.so");
  fix_times(tree);
}

inline std::vector<std::byte> read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline std::string as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace missive::zar
