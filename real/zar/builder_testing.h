#pragma once
// What the tests of the builder share: a tree and an output of their own, and images opened.

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "real/zar/builder.h"
#include "real/zar/image.h"
#include "real/zar/test_tree.h"

namespace missive::zar {

namespace fs = std::filesystem;

inline BuildOptions options(std::uint32_t block_size, std::uint32_t degree,
                            const char* packing = "path") {
  BuildOptions o;
  o.block_size = block_size;
  o.degree = degree;
  o.packing = packing;
  return o;
}

class BuilderTest : public testing::Test {
 protected:
  fs::path tree() const { return dir_.path() / "tree"; }
  fs::path out(const char* name = "image") const { return dir_.path() / name; }
  std::size_t files_beside_the_image() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator{}));
  }
  void SetUp() override { fs::create_directory(tree()); }

  TemporaryDirectory dir_;
};

struct Opened {
  std::vector<std::byte> bytes;
  Image image;
  explicit Opened(const fs::path& file)
      : bytes(read_file(file)), image(Image::open(bytes, file.string())) {}
  const Entry& at(const char* path) const { return image.entries()[image.find(path).value()]; }
  std::string text(const char* path) const { return as_text(image.content(at(path))); }
};

}  // namespace missive::zar
