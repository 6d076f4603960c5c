// What the hand-over costs, and what stands behind the choices in store.h and service.cpp.
// 100 MiB in blocks of 64 KiB, everything in the page cache.

#include <algorithm>
#include <memory>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "real/cache/client.h"
#include "real/cache/seals.h"
#include "real/cache/server.h"
#include "real/origin/server.h"
#include "real/origin/test_image.h"

namespace missive::cache {
namespace {

using origin::TestImage;
constexpr std::size_t kBlocks = 1600;
constexpr std::size_t kLength = kBlocks * TestImage::kBlock;

const TestImage& image() {
  static const TestImage instance(kBlocks, 1);
  return instance;
}

// Origin, cache and a client of it, with the image fetched.
struct World {
  World() {
    options.socket = dir.path() / "socket";
    options.store = dir.path() / "store";
    options.server.service.origin_url = origin.url();
    cache = std::make_unique<CacheProcess>(options);
    client = std::make_unique<Client>(
        Client::connect(options.socket, std::chrono::milliseconds(60'000)));
    client->fetch(image().name());
    client->assemble(image().name());
  }
  origin::TemporaryDirectory dir;
  origin::OriginProcess origin{{image().publication("bench")}};
  CacheProcess::Options options;
  std::unique_ptr<CacheProcess> cache;
  std::unique_ptr<Client> client;
};

void rate(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kLength));
}

// Freeing memory is not part of what a launch waits for.
template <typename Owner>
void give_back(benchmark::State& state, Owner& owner) {
  state.PauseTiming();
  owner = Owner();
  state.ResumeTiming();
}

void round_trip(benchmark::State& state) {
  World w;
  const zar::Digest unknown{};
  for (auto _ : state) benchmark::DoNotOptimize(w.client->get_tag(unknown));
}
BENCHMARK(round_trip)->Unit(benchmark::kMicrosecond)->UseRealTime();

void put_tag(benchmark::State& state) {
  World w;
  std::vector<std::byte> value(64);
  for (auto _ : state) {
    value[0] ^= std::byte{1};  // the same value again would not be written
    w.client->put_tag(zar::Digest{}, value);
  }
}
BENCHMARK(put_tag)->Unit(benchmark::kMicrosecond)->UseRealTime();

void lookup_hot(benchmark::State& state) {
  World w;
  for (auto _ : state) benchmark::DoNotOptimize(w.client->lookup(image().name()));
}
BENCHMARK(lookup_hot)->Unit(benchmark::kMicrosecond)->UseRealTime();

void connect_and_ask(benchmark::State& state) {
  World w;
  for (auto _ : state) {
    Client c = Client::connect(w.options.socket, std::chrono::milliseconds(1'000));
    benchmark::DoNotOptimize(c.get_tag(zar::Digest{}));
  }
}
BENCHMARK(connect_and_ask)->Unit(benchmark::kMicrosecond)->UseRealTime();

void fetch(benchmark::State& state) {
  World w;
  w.cache->stop();
  Store::Mark empty;
  {
    Store store(w.options.store, {});
    store.rewind({0, 64});
    empty = store.mark();
  }
  for (auto _ : state) {
    state.PauseTiming();
    Store(w.options.store, {}).rewind(empty);
    CacheProcess cache(w.options);
    Client c = Client::connect(w.options.socket, std::chrono::milliseconds(60'000));
    state.ResumeTiming();
    c.fetch(image().name());
    state.PauseTiming();
    cache.stop();
    state.ResumeTiming();
  }
  rate(state);
}
BENCHMARK(fetch)->Unit(benchmark::kMillisecond)->UseRealTime();

void assemble(benchmark::State& state) {
  World w;
  for (auto _ : state) {
    state.PauseTiming();
    w.client->forget_assembled();
    state.ResumeTiming();
    w.client->assemble(image().name());
  }
  rate(state);
}
BENCHMARK(assemble)->Unit(benchmark::kMillisecond)->UseRealTime();

void hand_over_sealed(benchmark::State& state) {
  World w;
  for (auto _ : state) {
    const UniqueFd fd = w.client->get_sealed(image().name());
    require_sealed(fd.get(), kLength, "bench");
    benchmark::DoNotOptimize(Mapping::read_only(fd.get(), kLength, "bench").bytes().data());
  }
}
BENCHMARK(hand_over_sealed)->Unit(benchmark::kMicrosecond)->UseRealTime();

void hand_over_copy(benchmark::State& state) {
  World w;
  for (auto _ : state) {
    Mapping into = Mapping::anonymous(kLength, "bench");  // fresh memory, as a launch has it
    w.client->get_copy(image().name(), into.writable());
    give_back(state, into);
  }
  rate(state);
}
BENCHMARK(hand_over_copy)->Unit(benchmark::kMillisecond)->UseRealTime();

void put_blocks(benchmark::State& state) {
  const origin::TemporaryDirectory dir;
  Store store(dir.path(), {});
  const Store::Mark empty = store.mark();
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBlocks; ++i) {
      store.put(image().recipe().leaves[i], image().block(i));
    }
    state.PauseTiming();
    store.rewind(empty);
    state.ResumeTiming();
  }
  rate(state);
}
BENCHMARK(put_blocks)->Unit(benchmark::kMillisecond)->UseRealTime();

void seal_filled_memory(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    UniqueFd fd(::memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    benchmark::DoNotOptimize(::write(fd.get(), image().bytes().data(), kLength));
    state.ResumeTiming();
    seal(fd.get(), "bench");
    give_back(state, fd);
  }
}
BENCHMARK(seal_filled_memory)->Unit(benchmark::kMicrosecond)->UseRealTime();

// Ways to fill a memfd from the store's file, block by block.
using Way = void (*)(int to, int from, std::byte* mapped);

void by_sendfile(int to, int from, std::byte*) {
  for (std::size_t i = 0; i < kBlocks; ++i) {
    auto offset = static_cast<off_t>(i * TestImage::kBlock);
    const off_t end = offset + TestImage::kBlock;
    while (offset<end&& ::sendfile(to, from, &offset, static_cast<std::size_t>(end - offset))> 0) {
    }
  }
}
void by_write_from_mapping(int to, int, std::byte* mapped) {
  for (std::size_t i = 0; i < kBlocks; ++i) {
    benchmark::DoNotOptimize(::write(to, mapped + i * TestImage::kBlock, TestImage::kBlock));
  }
}
void by_bounce_buffer(int to, int from, std::byte*) {
  std::vector<std::byte> buffer(TestImage::kBlock);
  for (std::size_t i = 0; i < kBlocks; ++i) {
    const auto offset = static_cast<off_t>(i * TestImage::kBlock);
    benchmark::DoNotOptimize(::pread(from, buffer.data(), buffer.size(), offset));
    benchmark::DoNotOptimize(::write(to, buffer.data(), buffer.size()));
  }
}
void by_read_into_mapping(int to, int from, std::byte*) {
  void* const p = ::mmap(nullptr, kLength, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
  for (std::size_t i = 0; i < kBlocks; ++i) {
    const std::size_t offset = i * TestImage::kBlock;
    benchmark::DoNotOptimize(::pread(from, static_cast<std::byte*>(p) + offset, TestImage::kBlock,
                                     static_cast<off_t>(offset)));
  }
  ::munmap(p, kLength);
}

void fill_memory(benchmark::State& state, Way way) {
  const UniqueFd from(::open(image().path().c_str(), O_RDONLY | O_CLOEXEC));
  const Mapping mapped = Mapping::read_only(from.get(), kLength, "bench");
  for (auto _ : state) {
    UniqueFd to(::memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (::ftruncate(to.get(), kLength) != 0) state.SkipWithError("no memory");
    way(to.get(), from.get(), const_cast<std::byte*>(mapped.bytes().data()));
    give_back(state, to);
  }
  rate(state);
}
BENCHMARK_CAPTURE(fill_memory, sendfile, by_sendfile)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fill_memory, write_from_mapping, by_write_from_mapping)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fill_memory, bounce_buffer, by_bounce_buffer)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fill_memory, read_into_mapping, by_read_into_mapping)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace missive::cache
