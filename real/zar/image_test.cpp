#include "real/zar/image.h"

#include <cstring>

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/zar/builder.h"
#include "real/zar/layout.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

BuildOptions small_blocks() {
  BuildOptions o;
  o.block_size = 4096;
  return o;
}

class ImageTest : public testing::Test {
 protected:
  void SetUp() override {
    put_sample(dir_.path() / "tree");
    Selection s;
    s.files = {"/etc/empty", "/etc/a.conf", "/etc/b.conf", "/usr/bin/program"};
    s.runs = {{"/usr/bin/program", 0, 1}, {"/etc/b.conf", 0, 1}, {"/usr/bin/program", 1, 1}};
    build(dir_.path() / "tree", s, small_blocks(), dir_.path() / "image");
    bytes_ = read_file(dir_.path() / "image");
  }
  // Opens and, when that works, reads everything there is.
  static bool opens(std::span<const std::byte> data) {
    try {
      const Image image = Image::open(data, "test");
      unsigned sum = 0;
      for (const Entry& e : image.entries()) {
        for (const std::byte b : image.content(e)) sum += std::to_integer<unsigned>(b);
        sum += static_cast<unsigned>(e.path.size());
        if (image.find(e.path) == std::nullopt) ADD_FAILURE() << "entry that cannot be found";
      }
      std::size_t children = 0;
      for (std::uint32_t i = 0; i < image.entries().size(); ++i)
        children += image.children(i).size();
      EXPECT_EQ(children + 1, image.entries().size());
      return sum != 1;
    } catch (const InputError&) {
      return false;
    }
  }
  template <typename T>
  void store(std::vector<std::byte>& data, std::size_t at, T value) {
    std::memcpy(data.data() + at, &value, sizeof value);
  }
  void refused(std::size_t at, auto value) {
    auto changed = bytes_;
    store(changed, at, value);
    EXPECT_THROW(Image::open(changed, "test"), InputError) << "at " << at;
  }
  std::size_t record(const char* path) {
    return kHeader + kIndexRecord * Image::open(bytes_, "test").find(path).value();
  }

  TemporaryDirectory dir_;
  std::vector<std::byte> bytes_;
};

TEST_F(ImageTest, FindsEachPathAndOnlyThose) {
  const Image image = Image::open(bytes_, "test");
  EXPECT_EQ(as_text(image.content(image.entries()[image.find("/etc/a.conf").value()])), "alpha\n");
  EXPECT_EQ(image.entries()[0].path, "/");
  EXPECT_EQ(image.find("/").value(), 0u);
  for (const char* no : {"", "/etc/", "etc/a.conf", "/etc/A.conf", "/usr/lib/libbig.so.1", "/zzz"})
    EXPECT_FALSE(image.find(no)) << no;
}

TEST_F(ImageTest, ListsChildrenInNameOrder) {
  const Image image = Image::open(bytes_, "test");
  const auto names = [&](const char* path) {
    std::vector<std::string> result;
    for (const auto i : image.children(image.find(path).value()))
      result.emplace_back(image.entries()[i].path);
    return result;
  };
  EXPECT_EQ(names("/"), (std::vector<std::string>{"/dev", "/etc", "/home", "/lib", "/proc", "/run",
                                                  "/sys", "/tmp", "/usr", "/var"}));
  EXPECT_EQ(names("/usr"),
            (std::vector<std::string>{"/usr/bin", "/usr/bin-extra", "/usr/lib", "/usr/share"}));
  EXPECT_EQ(names("/usr/bin"), (std::vector<std::string>{"/usr/bin/program"}));
  EXPECT_TRUE(names("/tmp").empty());
  EXPECT_TRUE(image.children(image.find("/etc/a.conf").value()).empty());
  EXPECT_TRUE(image.children(1000).empty());
}

TEST_F(ImageTest, KeepsLaunchRunsInTheirOrder) {
  const Image image = Image::open(bytes_, "test");
  ASSERT_EQ(image.launch_runs().size(), 3u);
  EXPECT_EQ(image.entries()[image.launch_runs()[1].entry].path, "/etc/b.conf");
  EXPECT_EQ(image.launch_runs()[2].first_page, 1u);
}

TEST_F(ImageTest, EveryTruncationIsRefused) {
  for (std::size_t n = 0; n < bytes_.size(); ++n) {
    // A copy of exactly n bytes, so that the sanitizer sees any read behind it.
    const std::vector<std::byte> cut(bytes_.begin(), bytes_.begin() + static_cast<long>(n));
    ASSERT_FALSE(opens(cut)) << n;
  }
}

TEST_F(ImageTest, EveryChangedByteIsRefusedOrHarmless) {
  ASSERT_TRUE(opens(bytes_));
  std::size_t refused_count = 0;
  std::uint64_t content = 0;
  std::memcpy(&content, bytes_.data() + kFixedHeader + 7 * kSectionRecord + 8, sizeof content);
  for (std::size_t at = 0; at < bytes_.size(); ++at)
    for (const int flip : {0x01, 0x02, 0x10, 0x80, 0xff}) {
      if (at >= content && flip != 0xff) continue;  // nothing there steers the reader
      const std::byte kept = bytes_[at];
      bytes_[at] ^= static_cast<std::byte>(flip);
      refused_count += !opens(bytes_);
      bytes_[at] = kept;
    }
  EXPECT_GT(refused_count, 1000u);
}

TEST_F(ImageTest, ManyChangedBytesAreRefusedOrHarmless) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    auto changed = bytes_;
    for (int i = 0; i < 4; ++i)
      changed[random() % 4096] = static_cast<std::byte>(random() % 4 == 0 ? random() & 0xff : 0);
    opens(changed);
  }
}

TEST_F(ImageTest, NoiseIsRefused) {
  for (const std::size_t size : {0u, 1u, 7u, 8u, 63u, 160u, 4096u, 65536u}) {
    std::string data = noise(size, 1);
    EXPECT_FALSE(opens(std::as_bytes(std::span(data))));
    if (size > 8) data.replace(0, 8, "MSVZAR\r\n");
    EXPECT_FALSE(opens(std::as_bytes(std::span(data))));
  }
}

TEST_F(ImageTest, RefusesUnknownVersionFeatureHashAndReservedFields) {
  refused(8, std::uint32_t{1});
  refused(8, std::uint32_t{3});
  refused(12, std::uint32_t{168});
  refused(32, std::uint32_t{2});
  refused(36, std::uint32_t{4});
  refused(40, std::uint64_t{2} | kFeatureSharedPages);
  refused(40, std::uint64_t{1} << 63);
  refused(48, std::uint8_t{3});  // kind of units
  refused(48, std::uint8_t{1});  // content-defined ones without their sizes
  refused(49, std::uint8_t{2});  // kind of tree
  refused(52, std::uint8_t{1});  // sizes of chunks where there are none
}

TEST_F(ImageTest, RefusesSectionsThatOverlapOrOverflow) {
  for (std::size_t section = 0; section < kSections; ++section) {
    const std::size_t at = kFixedHeader + section * kSectionRecord;
    refused(at, std::uint32_t{9});
    refused(at + 4, std::uint32_t{0});
    refused(at + 8, std::uint64_t{0});
    refused(at + 8, ~std::uint64_t{0});
    refused(at + 16, ~std::uint64_t{0});
    refused(at + 16, ~std::uint64_t{0} - kHeader);
  }
}

TEST_F(ImageTest, RefusesFilesOutsideTheContentOrOverMetadata) {
  const std::size_t at = record("/usr/bin/program");
  refused(at + 32, std::uint64_t{0});
  refused(at + 32, std::uint64_t{kHeader});
  refused(at + 32, std::uint64_t{bytes_.size()});
  refused(at + 32, ~std::uint64_t{0} - 4095);
  refused(at + 32, std::uint64_t{4096 + 8});
  refused(at + 24, ~std::uint64_t{0});
  refused(at + 24, std::uint64_t{bytes_.size()});
}

TEST_F(ImageTest, RefusesSmallFilesAcrossAPageOrUnaligned) {
  const std::size_t at = record("/etc/b.conf");
  const auto offset = Image::open(bytes_, "test").entries()[(at - kHeader) / kIndexRecord].offset;
  refused(at + 32, offset + 4);
  refused(at + 32, offset / 4096 * 4096 + 2048);
}

TEST_F(ImageTest, RefusesBadKindsModesAndReservedBytesOfAnEntry) {
  const std::size_t at = record("/usr/bin/program");
  refused(at + 6, std::uint8_t{0});
  refused(at + 6, std::uint8_t{2});  // a directory has no content
  refused(at + 6, std::uint8_t{3});  // a link's target lies in the string table
  refused(at + 6, std::uint8_t{4});
  refused(at + 7, std::uint8_t{1});
  refused(at + 8, std::uint32_t{04755});
  refused(at + 12, std::uint32_t{1});
  refused(at + 7, std::uint8_t{4});
  refused(record("/etc/empty") + 32, std::uint64_t{4096});
  refused(record("/etc") + 24, std::uint64_t{1});
  refused(record("/etc") + 6, std::uint8_t{1});  // its entries' parent would be a file
  refused(record("/lib") + 24, std::uint64_t{0});
  refused(record("/lib") + 24, std::uint64_t{5000});
}

TEST_F(ImageTest, RefusesPathsThatAreNotNormalisedInOrderOrParented) {
  const Image image = Image::open(bytes_, "test");
  const Entry& entry = image.entries()[image.find("/etc/a.conf").value()];
  const auto at = static_cast<std::size_t>(reinterpret_cast<const std::byte*>(entry.path.data()) -
                                           bytes_.data());
  const std::string_view bad[] = {
      std::string_view("/etc/../onf", 11), std::string_view("/etc/./conf", 11),
      std::string_view("/etc//.conf", 11), std::string_view("/etc/a.con/", 11),
      std::string_view("etc//a.conf", 11), std::string_view("/etc/a\0conf", 11),
      std::string_view("/etx/a.conf", 11), std::string_view("/etc/empty1", 11),
      std::string_view("/etc/b.conf", 11), std::string_view("/etc/a.co/.", 11),
      std::string_view("/aaa/a.conf", 11)};
  for (const std::string_view path : bad) {
    auto changed = bytes_;
    std::memcpy(changed.data() + at, path.data(), path.size());
    EXPECT_THROW(Image::open(changed, "test"), InputError) << path;
  }
  refused(record("/") + 4, std::uint16_t{0});
  refused(record("/etc/a.conf"), ~std::uint32_t{0});
  refused(record("/etc/a.conf") + 4, std::uint16_t{0xffff});
}

TEST_F(ImageTest, RefusesLaunchRunsOutsideTheirFile) {
  const Image image = Image::open(bytes_, "test");
  std::uint64_t runs = 0;
  std::memcpy(&runs, bytes_.data() + kFixedHeader + 5 * kSectionRecord + 8, sizeof runs);
  refused(runs, std::uint32_t{0});  // the root directory
  refused(runs, ~std::uint32_t{0});
  refused(runs + 4, std::uint32_t{2});
  refused(runs + 4, ~std::uint32_t{0});
  refused(runs + 8, std::uint32_t{0});
  refused(runs + 8, ~std::uint32_t{0});
}

TEST_F(ImageTest, SaysWhatIsWrongAndWhere) {
  auto changed = bytes_;
  changed[40] = std::byte{0x82};
  try {
    Image::open(changed, "gnumeric.zar");
    FAIL() << "opened";
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find("gnumeric.zar: byte 40: unknown feature"),
              std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace missive::zar
