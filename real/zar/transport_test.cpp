#include "real/zar/transport.h"

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/zar/builder.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

namespace fs = std::filesystem;

class TransportTest : public testing::Test {
 protected:
  void SetUp() override {
    put_sample(dir_.path() / "tree");
    put(dir_.path() / "tree", "/text", std::string(50'000, 'a') + noise(5000, 3));
    fix_times(dir_.path() / "tree");
  }
  std::vector<std::byte> packed(const char* units, const CodecChoice& codec, int level = 0) {
    BuildOptions o;
    o.block_size = 4096;
    o.units = units;
    o.chunking = {256, 1024, 4096};
    name_ = build(dir_.path() / "tree", {}, o, dir_.path() / "image").name;
    image_ = read_file(dir_.path() / "image");
    const auto report = pack(Image::open(image_, "image"), codec, level, 2, dir_.path() / "packed");
    EXPECT_EQ(report.name, name_);
    EXPECT_EQ(report.length, fs::file_size(dir_.path() / "packed"));
    return read_file(dir_.path() / "packed");
  }
  bool unpacks(std::span<const std::byte> data) {
    fs::remove(dir_.path() / "back");
    try {
      unpack(data, "packed", 1, dir_.path() / "back");
    } catch (const InputError&) {
      EXPECT_FALSE(fs::exists(dir_.path() / "back"));
      return false;
    }
    return true;
  }

  TemporaryDirectory dir_;
  Digest name_;
  std::vector<std::byte> image_;
};

TEST_F(TransportTest, EveryCodecAndKindOfUnitsGivesTheImageBack) {
  for (const CodecChoice* codec : codecs())
    for (const char* units : {"blocks", "cdc", "strings"})
      for (const int level : {0, 5}) {
        const auto data = packed(units, *codec, level);
        ASSERT_TRUE(unpacks(data)) << codec->name << " " << units;
        EXPECT_TRUE(read_file(dir_.path() / "back") == image_) << codec->name << " " << units;
        if (codec != &kCodecOff) {
          EXPECT_LT(data.size(), image_.size() - 45'000);
        }
      }
}

TEST_F(TransportTest, AnyChangedByteIsRefused) {
  const auto data = packed("blocks", kCodecLz4);
  // The recipe alone decides what is unpacked: a changed one gives another name, or nothing.
  std::mt19937 random(1);
  std::size_t refused = 0, other = 0;
  for (int i = 0; i < 300; ++i) {
    auto changed = data;
    changed[random() % (i % 2 == 0 ? 4000 : data.size())] ^= std::byte{0x40};
    if (!unpacks(changed)) {
      ++refused;
    } else if (!(read_file(dir_.path() / "back") == image_)) {
      ++other;
    }
  }
  EXPECT_EQ(other, 0u);
  EXPECT_GT(refused, 290u);
}

TEST_F(TransportTest, EveryTruncationIsRefused) {
  const auto data = packed("cdc", kCodecZstd);
  for (std::size_t n = 0; n < data.size(); n += 1 + n / 40)
    EXPECT_FALSE(unpacks(std::span(data).first(n))) << n;
}

}  // namespace
}  // namespace missive::zar
