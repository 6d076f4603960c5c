#include "real/launch/reader.h"

#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <random>

#include <fmt/format.h>

#include "models/error.h"
#include "real/measure/tiny_program.h"

namespace missive::launch {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kPage = 4096;
constexpr const char* kProgram = "/bin/reader";

using Generator = std::mt19937_64;

// `bytes` is a multiple of 2 KiB.
void write_random(std::ofstream& out, std::uint64_t bytes, Generator& random) {
  std::array<std::uint64_t, 256> part{};
  for (std::uint64_t done = 0; done < bytes; done += sizeof part) {
    for (std::uint64_t& word : part) word = random();
    out.write(reinterpret_cast<const char*>(part.data()), sizeof part);
  }
}

void close(std::ofstream& out, const fs::path& file) {
  out.close();
  if (!out) throw RunError(file.string() + ": cannot be written; is the disk full?");
}

void make_tree(const Reader& what, const fs::path& tree) {
  for (const char* each : {"bin", "proc", "dev", "tmp", "run", "home", "var/tmp", "data"})
    fs::create_directories(tree / each);
  Generator random(what.bytes);
  const fs::path program = tree / (kProgram + 1);
  {
    std::ofstream out(program, std::ios::binary);
    out << measure::reading_program("ready\n", what.bytes, what.touched_bytes());
    write_random(out, what.bytes, random);
    close(out, program);
  }
  fs::permissions(program, fs::perms(0755));
  for (std::uint64_t i = 0; i < 3 * what.bytes / kMiB; ++i) {
    const fs::path file = tree / "data" / std::to_string(i);
    std::ofstream out(file, std::ios::binary);
    write_random(out, 2048, random);
    close(out, file);
  }
}

}  // namespace

std::uint64_t Reader::touched_bytes() const {
  return static_cast<std::uint64_t>(std::llround(touched * static_cast<double>(bytes / kPage))) *
         kPage;
}

Application reader(const Reader& what) {
  if (what.bytes == 0 || what.bytes % kMiB != 0 || what.bytes > 1024 * kMiB)
    throw InputError(fmt::format(
        "reader: an image of {} bytes; give a multiple of 1 MiB, at most 1 GiB", what.bytes));
  if (!(what.touched >= 0 && what.touched <= 1))
    throw InputError(
        fmt::format("reader: {} is no share; give a number from 0 to 1", what.touched));
  return {fmt::format("{}-{}MiB-{}", kReader, what.bytes / kMiB, what.touched),
          {},
          {kProgram},
          ReadyMark::first_output,
          "synthetic: touches a share of its image, then is ready"};
}

std::optional<Reader> reader_of(std::string_view name) {
  const std::string begin = std::string(kReader) + "-", middle = "MiB-";
  if (!name.starts_with(begin)) return std::nullopt;
  const char* const last = name.data() + name.size();
  Reader found;
  auto [at, error] = std::from_chars(name.data() + begin.size(), last, found.bytes);
  if (error != std::errc() || !std::string_view(at, last).starts_with(middle)) return std::nullopt;
  const auto share = std::from_chars(at + middle.size(), last, found.touched);
  if (share.ec != std::errc() || share.ptr != last || found.bytes > 1024) return std::nullopt;
  found.bytes *= kMiB;
  return found;
}

Application application_of(const std::string& name) {
  const auto what = reader_of(name);
  return what ? reader(*what) : application(name);
}

fs::path root_of(const Application& application, const fs::path& scratch) {
  const auto what = reader_of(application.name);
  if (!what) return ensure_root(application);
  const fs::path tree = scratch / (application.name + "-root");
  if (!fs::exists(tree)) make_tree(*what, tree);
  return tree;
}

LaunchTrace trace_of(const Application& application) {
  const auto what = reader_of(application.name);
  if (!what) return read_trace(trace_file(application));
  LaunchTrace trace;
  const std::uint64_t pages = 1 + what->touched_bytes() / kPage;  // the first one is its code
  trace.selection.runs = {{kProgram, 0, static_cast<std::uint32_t>(pages)}};
  trace.opens = trace.lookups_found = 1;
  trace.pages_touched = pages;
  return trace;
}

}  // namespace missive::launch
