// What verification, building and unpacking cost per image of 100 MiB, beside the bound that memory
// sets (reading every word once). Run pinned, on an idle machine:
//   taskset -c 1 build/release/real_zar_zar_bench --benchmark_repetitions=9

#include <cstring>
#include <filesystem>
#include <numeric>
#include <optional>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <openssl/evp.h>

#include "real/fd.h"
#include "real/measure/scratch.h"
#include "real/verify/gmac.h"
#include "real/verify/verifier.h"
#include "real/zar/builder.h"
#include "real/zar/extract.h"
#include "real/zar/image.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

constexpr std::size_t kMiB = 1 << 20, kImage = 100 * kMiB;

// 100 MiB in memory, every page touched and none zero.
std::span<const std::byte> buffer() {
  static Mapping mapping = [] {
    Mapping m = Mapping::anonymous(kImage, "benchmark buffer");
    std::mt19937_64 random(1);
    auto words = m.writable();
    for (std::size_t i = 0; i < kImage; i += 8) {
      const std::uint64_t word = random();
      std::memcpy(words.data() + i, &word, 8);
    }
    return m;
  }();
  return mapping.bytes();
}

void report(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

// Four independent chains of 64-byte words: enough loads in flight to reach the memory's limit.
__attribute__((target_clones("avx512f", "avx2", "default"))) std::uint64_t fold(
    std::span<const std::byte> data) {
  std::uint64_t sums[32] = {};
  for (std::size_t at = 0; at + sizeof sums <= data.size(); at += sizeof sums) {
    std::uint64_t words[32];
    std::memcpy(words, data.data() + at, sizeof words);
    for (std::size_t i = 0; i < 32; ++i) sums[i] ^= words[i];
  }
  return std::accumulate(std::begin(sums), std::end(sums), std::uint64_t{0});
}

void ReadBound(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(fold(buffer()));
  report(state, kImage);
}
BENCHMARK(ReadBound)->Unit(benchmark::kMillisecond);

void LeafHashes(benchmark::State& state) {
  const TreeShape shape{kImage, static_cast<std::uint32_t>(state.range(0)), 128};
  for (auto _ : state) benchmark::DoNotOptimize(leaf_hashes(buffer(), shape));
  report(state, kImage);
}
BENCHMARK(LeafHashes)->Arg(4096)->Arg(65536)->Arg(1 << 20)->Unit(benchmark::kMillisecond);

void TreeRoot(benchmark::State& state) {
  const TreeShape shape{kImage, static_cast<std::uint32_t>(state.range(0)),
                        static_cast<std::uint32_t>(state.range(1))};
  const std::vector<Digest> leaves(shape.blocks());
  for (auto _ : state) benchmark::DoNotOptimize(tree_root(leaves, shape));
  state.counters["nodes"] = static_cast<double>(inner_nodes(shape));
}
BENCHMARK(TreeRoot)->Args({4096, 2})->Args({4096, 128})->Args({65536, 2})->Args({65536, 128});

void GmacByUpdatesOf(benchmark::State& state) {
  const auto piece = static_cast<std::size_t>(state.range(0));
  const std::array<std::byte, 16> key{};
  for (auto _ : state) {
    verify::Gmac gmac(key, {});
    for (std::size_t at = 0; at < kImage; at += piece)
      gmac.update(buffer().subspan(at, std::min(piece, kImage - at)));
    benchmark::DoNotOptimize(gmac.finish());
  }
  report(state, kImage);
}
BENCHMARK(GmacByUpdatesOf)->Arg(65536)->Arg(1 << 20)->Arg(kImage)->Unit(benchmark::kMillisecond);

// The other way to GMAC in OpenSSL: the GCM cipher, fed with authenticated data only.
void GmacThroughTheCipher(benchmark::State& state) {
  const auto piece = static_cast<std::size_t>(state.range(0));
  const auto* data = reinterpret_cast<const unsigned char*>(buffer().data());
  const unsigned char zeros[16] = {};
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  for (auto _ : state) {
    unsigned char out[16];
    int length = 0;
    EVP_EncryptInit_ex2(context, cipher, zeros, zeros, nullptr);
    for (std::size_t at = 0; at < kImage; at += piece)
      EVP_EncryptUpdate(context, nullptr, &length, data + at,
                        static_cast<int>(std::min(piece, kImage - at)));
    EVP_EncryptFinal_ex(context, out, &length);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out);
    benchmark::DoNotOptimize(out);
  }
  EVP_CIPHER_CTX_free(context);
  EVP_CIPHER_free(cipher);
  report(state, kImage);
}
BENCHMARK(GmacThroughTheCipher)->Arg(1 << 20)->Arg(kImage)->Unit(benchmark::kMillisecond);

// An application like those measured: 320 files of 100 MB, among 1,500 directories and 700 links.
struct Sample {
  Sample() {
    const auto tree = directory.path() / "tree";
    for (unsigned i = 0; i < 1500; ++i)
      std::filesystem::create_directories(tree / "usr/share" / std::to_string(i));
    for (unsigned i = 0; i < 700; ++i)
      std::filesystem::create_symlink("x", tree / "usr" / ("link" + std::to_string(i)));
    for (unsigned i = 0; i < 320; ++i)
      put(tree, "/usr/lib/" + std::to_string(i), noise(i % 2 == 0 ? 2000 : 625'000, i));
    build(tree, {}, {}, directory.path() / "image");
    bytes = read_file(directory.path() / "image");
  }
  TemporaryDirectory directory;
  std::vector<std::byte> bytes;
};
const Sample& sample() {
  static const Sample s;
  return s;
}

void Build(benchmark::State& state) {
  const auto& dir = sample().directory.path();
  for (auto _ : state) build(dir / "tree", {}, {}, dir / "rebuilt");
  report(state, sample().bytes.size());
}
BENCHMARK(Build)->Unit(benchmark::kMillisecond);

void Open(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Image::open(sample().bytes, "sample"));
  state.counters["entries"] =
      static_cast<double>(Image::open(sample().bytes, "sample").entries().size());
}
BENCHMARK(Open)->Unit(benchmark::kMicrosecond);

void ExtractToMemory(benchmark::State& state) {
  const Image image = Image::open(sample().bytes, "sample");
  const std::filesystem::path root = "/dev/shm";
  if (!std::filesystem::is_directory(root)) return state.SkipWithError("needs /dev/shm");
  const auto parent = root / measure::scratch_parent().filename();
  for (auto _ : state) {
    state.PauseTiming();
    std::optional<measure::ScratchDirectory> directory(std::in_place, parent);
    state.ResumeTiming();
    extract(image, directory->path());
    state.PauseTiming();
    directory.reset();
    state.ResumeTiming();
  }
  report(state, image.data().size());
}
BENCHMARK(ExtractToMemory)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace missive::zar
