// Random reads through the reader: find a file, copy 4 KiB from a random place in it. Called by
// bench/peers, beside the same on a mounted file system:
//   real_zar_read_bench --read IMAGE LIST     LIST: paths, one a line
// prints the median of first touches in microseconds (each file once) and the time to open the
// image. Without --read it runs a repeatable micro-benchmark.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "real/fd.h"
#include "real/zar/image.h"
#include "real/zar/layout.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration d) {
  return std::chrono::duration<double, std::micro>(d).count();
}

Mapping map(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0) throw_errno(file);
  return Mapping::read_only(fd.get(), static_cast<std::size_t>(st.st_size), file);
}

// One read as a program would do it.
std::size_t read_page(const Image& image, const std::string& path, std::uint64_t random,
                      std::vector<std::byte>& scratch, std::array<std::byte, kPage>& to) {
  const Entry& e = image.entries()[image.find(path).value()];
  const std::uint64_t pages = std::max<std::uint64_t>(e.size / kPage, 1);
  const auto part = image.view(e, random % pages * kPage, kPage, scratch);
  std::memcpy(to.data(), part.data(), part.size());
  return part.size();
}

int first_touches(const std::string& file, const std::string& list) {
  const Mapping mapping = map(file);
  const auto start = Clock::now();
  const Image image = Image::open(mapping.bytes(), file);
  const double open = microseconds(Clock::now() - start);
  std::ifstream in(list);
  std::mt19937_64 random(1);
  std::vector<double> samples;
  std::vector<std::byte> scratch;
  std::array<std::byte, kPage> to{};
  for (std::string path; std::getline(in, path);) {
    const std::uint64_t r = random();
    const auto before = Clock::now();
    benchmark::DoNotOptimize(read_page(image, path, r, scratch, to));
    samples.push_back(microseconds(Clock::now() - before));
  }
  if (samples.empty()) return 2;
  std::nth_element(samples.begin(), samples.begin() + static_cast<long>(samples.size() / 2),
                   samples.end());
  std::printf("%.2f %.1fms\n", samples[samples.size() / 2], open / 1000);
  return 0;
}

void ReadAgain(benchmark::State& state) {
  const TemporaryDirectory dir;
  put_sample(dir.path() / "tree");
  build(dir.path() / "tree", {}, {}, dir.path() / "image");
  const auto bytes = read_file(dir.path() / "image");
  const Image image = Image::open(bytes, "sample");
  std::vector<std::byte> scratch;
  std::array<std::byte, kPage> to{};
  std::uint64_t i = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(read_page(image, "/usr/lib/libbig.so.1", ++i, scratch, to));
}
BENCHMARK(ReadAgain);

}  // namespace
}  // namespace missive::zar

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "--read") == 0)
    return missive::zar::first_touches(argv[2], argv[3]);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
