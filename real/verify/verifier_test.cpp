#include "real/verify/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "real/verify/gmac.h"
#include "real/zar/recipe.h"
#include "real/zar/test_tree.h"

namespace missive::verify {
namespace {

template <std::size_t N>
std::array<std::byte, N> from_hex(const std::string& hex) {
  std::array<std::byte, N> bytes;
  for (std::size_t i = 0; i < N; ++i)
    bytes[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return bytes;
}

constexpr GmacBackend kBackends[] = {GmacBackend::openssl, GmacBackend::multi_buffer};

TEST(Gmac, MatchesThePublishedVectors) {
  for (const GmacBackend backend : kBackends) {
    // McGrew and Viega, "The Galois/Counter Mode of Operation", test case 1: nothing to
    // authenticate.
    EXPECT_EQ(Gmac(from_hex<16>(std::string(32, '0')), GmacNonce{}, backend).finish(),
              from_hex<16>("58e2fccefa7e3061367f1d57a4e7455a"));
    // NIST CAVP gcmEncryptExtIV128, PTlen 0, AADlen 128, count 0.
    const auto data = from_hex<16>("7a43ec1d9c0a5a78a0b16533a6213cab");
    EXPECT_EQ(Gmac(from_hex<16>("77be63708971c4e240d1cb79e8d77feb"),
                   from_hex<12>("e0e00f19fed7ba0136a797f3"), backend)
                  .update(data)
                  .finish(),
              from_hex<16>("209fcc8d3675ed938e9c7166709dd946"));
  }
}

TEST(Gmac, PiecesGiveTheSameAsTheWhole) {
  const std::string text = zar::noise(100'003, 1);
  const auto data = std::as_bytes(std::span(text));
  const auto key = from_hex<16>("77be63708971c4e240d1cb79e8d77feb");
  for (const GmacBackend backend : kBackends) {
    Gmac pieces(key, GmacNonce{}, backend);
    for (std::size_t at = 0; at < data.size(); at += 1001)
      pieces.update(data.subspan(at, std::min<std::size_t>(1001, data.size() - at)));
    EXPECT_EQ(pieces.finish(), Gmac(key, GmacNonce{}, GmacBackend::openssl).update(data).finish());
  }
}

class VerifierTest : public testing::Test {
 protected:
  VerifierTest() {
    const std::string text = zar::noise(20 * 4096, 11);
    const auto bytes = std::as_bytes(std::span(text));
    image_.assign(bytes.begin(), bytes.end());
    const zar::Recipe recipe = zar::make_recipe(image_, 4096, 4);
    expected_ = {recipe.name(), recipe.shape, "gnumeric", 7};
    key_ = key_for(expected_);
  }
  static MacKey key_for(const Expected& e) {
    return mac_key(application_secret(MasterKey{}, PublicKey{}), e.name, e.version);
  }
  void tag_refused(const Expected& e, const MacKey& key, const TagRecord& record,
                   const std::string& why) {
    try {
      verify_tag(image_, e, key, record);
      FAIL() << "accepted: " << why;
    } catch (const RunError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(why));
    }
  }

  std::vector<std::byte> image_;
  Expected expected_;
  MacKey key_;
};

TEST_F(VerifierTest, TreeAcceptsTheSignedImageAndCountsItsWork) {
  const Work work = verify_tree(image_, expected_);
  EXPECT_EQ(work.bytes_hashed, image_.size());
  EXPECT_EQ(work.blocks_hashed, 20u);
  EXPECT_EQ(work.bytes_authenticated, 0u);
}

TEST_F(VerifierTest, TagAcceptsTheTaggedImageAndCountsItsWork) {
  Work making;
  const TagRecord record = make_tag(image_, expected_, key_, &making);
  EXPECT_EQ(making.bytes_authenticated, image_.size());
  const Work work = verify_tag(image_, expected_, key_, record);
  EXPECT_EQ(work.bytes_authenticated, image_.size());
  EXPECT_EQ(work.bytes_hashed, 0u);
}

TEST_F(VerifierTest, BothRefuseAnyFlippedBit) {
  const TagRecord record = make_tag(image_, expected_, key_);
  for (std::size_t at = 0; at < image_.size(); at += 1021) {
    image_[at] ^= std::byte{0x40};
    EXPECT_THROW(verify_tree(image_, expected_), RunError) << at;
    EXPECT_THROW(verify_tag(image_, expected_, key_, record), RunError) << at;
    image_[at] ^= std::byte{0x40};
  }
  EXPECT_NO_THROW(verify_tag(image_, expected_, key_, record));
}

TEST_F(VerifierTest, BothRefuseSwappedBlocks) {
  const TagRecord record = make_tag(image_, expected_, key_);
  std::swap_ranges(image_.begin(), image_.begin() + 4096, image_.begin() + 8192);
  EXPECT_THROW(verify_tree(image_, expected_), RunError);
  tag_refused(expected_, key_, record, "does not match");
}

TEST_F(VerifierTest, BothRefuseEmptyTruncatedAndExtendedImages) {
  const TagRecord record = make_tag(image_, expected_, key_);
  for (const std::size_t size : {0u, 1u, 4096u, 20u * 4096 - 1, 20u * 4096 + 1, 21u * 4096}) {
    std::vector<std::byte> other = image_;
    other.resize(size);
    EXPECT_THROW(verify_tree(other, expected_), RunError) << size;
    EXPECT_THROW(verify_tag(other, expected_, key_, record), RunError) << size;
    EXPECT_THROW(make_tag(other, expected_, key_), RunError) << size;
  }
}

TEST_F(VerifierTest, TreeRefusesAnotherShapeOrName) {
  Expected other = expected_;
  other.shape.degree = 5;
  EXPECT_THROW(verify_tree(image_, other), RunError);
  other = expected_;
  other.shape.block_size = 8192;
  EXPECT_THROW(verify_tree(image_, other), RunError);
  other = expected_;
  other.name.bytes[0] ^= std::byte{1};
  EXPECT_THROW(verify_tree(image_, other), RunError);
}

TEST_F(VerifierTest, ATagForAnotherVersionImageOrApplicationIsRefused) {
  const TagRecord record = make_tag(image_, expected_, key_);
  Expected other = expected_;
  other.version = 8;
  tag_refused(other, key_for(other), record, "is for version 7");
  other = expected_;
  other.name.bytes[0] ^= std::byte{1};
  tag_refused(other, key_for(other), record, "another image");
  other = expected_;
  other.application = "abiword";  // same vendor, same image, same version: the same key
  tag_refused(other, key_for(other), record, "does not match");
  tag_refused(expected_,
              mac_key(application_secret(MasterKey{{std::byte{1}}}, PublicKey{}), expected_.name,
                      expected_.version),
              record, "does not match");
}

TEST_F(VerifierTest, ARecordRelabelledForAnotherVersionIsRefused) {
  TagRecord record = make_tag(image_, expected_, key_);
  record.bytes[48] = std::byte{8};  // the version field
  Expected other = expected_;
  other.version = 8;
  tag_refused(other, key_for(other), record, "does not match");
}

TEST_F(VerifierTest, EveryChangedByteOfARecordIsRefused) {
  const TagRecord record = make_tag(image_, expected_, key_);
  EXPECT_EQ(record.bytes.size(), 88u);
  for (std::size_t at = 0; at < record.bytes.size(); ++at) {
    TagRecord changed = record;
    changed.bytes[at] ^= std::byte{1};
    EXPECT_THROW(verify_tag(image_, expected_, key_, changed), RunError) << at;
  }
}

TEST_F(VerifierTest, RecordsOfAnyOtherLengthAreRefused) {
  const TagRecord record = make_tag(image_, expected_, key_);
  for (std::size_t size = 0; size < 200; ++size) {
    TagRecord other = record;
    other.bytes.resize(size);
    if (size != record.bytes.size()) {
      EXPECT_THROW(verify_tag(image_, expected_, key_, other), RunError) << size;
    }
  }
}

TEST_F(VerifierTest, TwoTagsOfOneImageUseDifferentNonces) {
  EXPECT_NE(make_tag(image_, expected_, key_).bytes, make_tag(image_, expected_, key_).bytes);
}

TEST(Verifiers, AreRegisteredByTheirNames) {
  ASSERT_EQ(verifiers().size(), 2u);
  EXPECT_EQ(verifiers()[0].name, "sha256");
  EXPECT_FALSE(verifiers()[0].keyed);
  EXPECT_EQ(verifiers()[1].name, "mac");
  EXPECT_TRUE(verifiers()[1].keyed);
}

}  // namespace
}  // namespace missive::verify
