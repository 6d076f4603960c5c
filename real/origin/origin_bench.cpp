// Round trips and rates of the origin over loopback, server in a process of its own.

#include <benchmark/benchmark.h>

#include "real/origin/client.h"
#include "real/origin/server.h"
#include "real/origin/test_image.h"

namespace missive::origin {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(60'000);

void ignore(const zar::Digest&, std::span<const std::byte>) {}

void boot_block_round_trip(benchmark::State& state) {
  const TestImage image(1, 1);
  const OriginProcess origin({image.publication("bench")});
  Client client(origin.url(), kPatience);
  for (auto _ : state) benchmark::DoNotOptimize(client.get_boot_block("bench"));
}
BENCHMARK(boot_block_round_trip)->Unit(benchmark::kMicrosecond)->UseRealTime();

void new_connection_each_time(benchmark::State& state) {
  const TestImage image(1, 1);
  const OriginProcess origin({image.publication("bench")});
  for (auto _ : state) {
    Client client(origin.url(), kPatience);
    benchmark::DoNotOptimize(client.get_boot_block("bench"));
  }
}
BENCHMARK(new_connection_each_time)->Unit(benchmark::kMicrosecond)->UseRealTime();

void recipe_of_100_MiB(benchmark::State& state) {
  const TestImage image(1600, 1);
  const OriginProcess origin({image.publication("bench")});
  Client client(origin.url(), kPatience);
  for (auto _ : state) benchmark::DoNotOptimize(client.get_recipe(image.name()));
}
BENCHMARK(recipe_of_100_MiB)->Unit(benchmark::kMicrosecond)->UseRealTime();

// range(0): blocks a request. Includes the SHA-256 of every block.
void blocks(benchmark::State& state) {
  const TestImage image(256, 1);
  const OriginProcess origin({image.publication("bench")});
  Client client(origin.url(), kPatience);
  const auto wanted =
      std::span(image.recipe().leaves).first(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) client.get_blocks(image.name(), wanted, TestImage::kBlock, ignore);
  state.SetBytesProcessed(state.iterations() * state.range(0) * TestImage::kBlock);
}
BENCHMARK(blocks)->RangeMultiplier(4)->Range(1, 256)->Unit(benchmark::kMicrosecond)->UseRealTime();

void sha256_of_a_block(benchmark::State& state) {
  const TestImage image(1, 1);
  for (auto _ : state) benchmark::DoNotOptimize(zar::sha256(image.bytes()));
  state.SetBytesProcessed(state.iterations() * TestImage::kBlock);
}
BENCHMARK(sha256_of_a_block)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace missive::origin
