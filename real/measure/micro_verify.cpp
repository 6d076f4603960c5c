// Micro-measurements of verification: hashing, MAC, first touch of mapped memory, boot block.

#include <algorithm>
#include <cstring>

#include "real/cache/client.h"
#include "real/measure/clock.h"
#include "real/measure/micro_list.h"
#include "real/origin/boot_block.h"
#include "real/verify/block_verifier.h"
#include "real/verify/verifier.h"

namespace missive::measure {

namespace {

constexpr const char* kSizes[] = {"4MiB", "12MiB", "24MiB", "40MiB"};

// Reads one byte of every page, as the first pass over mapped memory does anyway.
std::uint64_t touch(std::span<const std::byte> memory) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < memory.size(); i += 4096)
    sum += static_cast<std::uint64_t>(memory[i]);
  return sum;
}

// Reads a word of every cache line, in order.
std::uint64_t read_lines(std::span<const std::byte> memory) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 8 <= memory.size(); i += 64) {
    std::uint64_t word;
    std::memcpy(&word, memory.data() + i, sizeof word);
    sum += word;
  }
  return sum;
}

verify::Expected expected_of(const BenchImage& image) {
  return {image.report.name, image.report.recipe.shape, image.name, 1};
}

}  // namespace

// Hashed where the pages are mapped already; 4 KiB and 256 KiB blocks separate the cost of a byte
// from that of a block.
void sha256_blocks(BenchBed& bed, Sampler& sample) {
  for (const char* size : {"4MiB", "24MiB"})
    for (const std::uint32_t block : {4096u, 16384u, 65536u}) {
      const auto bytes = bed.image(size).memory.bytes();
      const zar::TreeShape shape{bytes.size(), block, 128};
      keep(touch(bytes));
      bed.evict_caches();
      const double t = seconds_of([&] { keep(zar::leaf_hashes(bytes, shape).size()); });
      sample.add(0, bytes.size(), shape.blocks(), t);
    }
}

// The leaves of a tree as a launch hashes them: where the processor has multi-buffer SHA-256,
// blocks below 64 KiB go through it, many at once.
void sha256_leaves(BenchBed& bed, Sampler& sample) {
  for (const char* size : {"4MiB", "24MiB"})
    for (const std::uint32_t block : {4096u, 8192u, 16384u}) {
      const auto bytes = bed.image(size).memory.bytes();
      const zar::TreeShape shape{bytes.size(), block, 128};
      keep(touch(bytes));
      bed.evict_caches();
      const double t = seconds_of([&] { keep(verify::leaf_digests(bytes, shape).size()); });
      sample.add(0, bytes.size(), shape.blocks(), t);
    }
}

void gmac(BenchBed& bed, Sampler& sample) {
  for (const char* size : kSizes) {
    const BenchImage& image = bed.image(size);
    const auto expected = expected_of(image);
    const verify::MacKey key{};
    const auto tag = verify::make_tag(image.memory.bytes(), expected, key);  // also the warm-up
    bed.evict_caches();
    const double t =
        seconds_of([&] { verify::verify_tag(image.memory.bytes(), expected, key, tag); });
    sample.add(1, image.memory.bytes().size(), 0, t);
  }
}

// An image of one block, so that what is left is the making.
void block_verifier(BenchBed& bed, Sampler& sample) {
  const auto bytes = bed.image("4MiB").memory.bytes().first(4096);
  const verify::Expected expected{{}, {bytes.size(), 4096, 128}, "micro", 1};
  const verify::ApplicationSecret secret{};
  const auto record = verify::make_block_tags(bytes, expected, secret);
  bed.evict_caches();
  sample.add(1, 0, 0, seconds_of([&] {
               verify::BlockVerifier::by_tags(bytes, expected, secret, record)->require(0, 1);
             }));
}

void block_tag(BenchBed& bed, Sampler& sample) {
  for (const char* size : {"4MiB", "24MiB"})
    for (const std::uint32_t block : {4096u, 16384u, 65536u}) {
      const auto bytes = bed.image(size).memory.bytes();
      const verify::Expected expected{{}, {bytes.size(), block, 128}, "micro", 1};
      const verify::ApplicationSecret secret{};
      const auto record = verify::make_block_tags(bytes, expected, secret);
      const auto blocks = verify::BlockVerifier::by_tags(bytes, expected, secret, record);
      blocks->require(0, 1);
      bed.evict_caches();
      const double t = seconds_of([&] { blocks->require(block, bytes.size() - block); });
      sample.add(0, bytes.size() - block, expected.shape.blocks() - 1, t);
    }
}

// Fresh mappings of what a cache has assembled, read line by line as a verifier does; the
// difference to a second pass is what first touch costs. Both passes find the caches empty: waiting
// for memory is the verifier's own cost.
void map_touch(BenchBed& bed, Sampler& sample) {
  auto client = cache::Client::connect(bed.cache_socket(), std::chrono::seconds{30});
  for (const char* size : {"12MiB", "24MiB", "40MiB"}) {
    const BenchImage& image = bed.image(size);
    const std::size_t length = image.memory.bytes().size();
    client.assemble(image.report.name);
    const UniqueFd fd = client.get_sealed(image.report.name);
    const Mapping mapping = Mapping::read_only(fd.get(), length, "micro");
    bed.evict_caches();
    const double first = seconds_of([&] { keep(read_lines(mapping.bytes())); });
    bed.evict_caches();
    const double second = seconds_of([&] { keep(read_lines(mapping.bytes())); });
    sample.add(0, length, 0, std::max(first - second, 1e-9));
  }
}

void boot_block_check(BenchBed& bed, Sampler& sample) {
  const auto& wire = bed.image("4MiB").boot_block;
  sample.add(1, 0, 0, seconds_of([&] { origin::open_boot_block(wire, bed.vendor(), "micro"); }));
}

}  // namespace missive::measure
