#pragma once
// A small image of random blocks in a temporary file, for tests and benchmarks of the servers, who
// do not look inside. Header-only.

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "real/measure/scratch.h"
#include "real/origin/server.h"
#include "real/zar/recipe.h"

namespace missive::origin {

using TemporaryDirectory = measure::ScratchDirectory;

class TestImage {
 public:
  static constexpr std::uint32_t kBlock = 65536;

  TestImage(std::size_t blocks, std::uint64_t seed) : bytes_(blocks * kBlock) {
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i < bytes_.size(); i += 8) {
      const std::uint64_t word = random();
      std::memcpy(bytes_.data() + i, &word, 8);
    }
    settle();
  }
  explicit TestImage(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) { settle(); }

  TestImage with_flipped_byte(std::size_t at) const {
    auto other = bytes_;
    other[at] ^= std::byte{1};
    return TestImage(std::move(other));
  }
  // The first `shared` blocks of this one, then blocks of its own.
  TestImage sharing(std::size_t shared, std::size_t blocks, std::uint64_t seed) const {
    TestImage fresh(blocks, seed);
    auto other = fresh.bytes_;
    std::copy_n(bytes_.begin(), shared * kBlock, other.begin());
    return TestImage(std::move(other));
  }

  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<const std::byte> block(std::size_t i) const {
    return bytes().subspan(i * kBlock, kBlock);
  }
  const zar::Recipe& recipe() const { return recipe_; }
  zar::Digest name() const { return recipe_.name(); }
  std::filesystem::path path() const { return directory_->path() / "image.zar"; }
  std::vector<std::byte> boot_block() const { return std::vector<std::byte>(100, std::byte{7}); }
  Publication publication(const std::string& application) const {
    return {application, path(), recipe_, boot_block()};
  }

 private:
  void settle() {
    recipe_ = zar::make_recipe(bytes_, kBlock, 64);
    std::ofstream out(path(), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes_.data()),
              static_cast<std::streamsize>(bytes_.size()));
  }

  std::vector<std::byte> bytes_;
  zar::Recipe recipe_;
  std::unique_ptr<TemporaryDirectory> directory_ = std::make_unique<TemporaryDirectory>();
};

}  // namespace missive::origin
