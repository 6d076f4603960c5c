#include "real/origin/boot_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"

namespace missive::origin {
namespace {

template <std::size_t N>
std::array<std::byte, N> from_hex(const std::string& hex) {
  std::array<std::byte, N> bytes;
  for (std::size_t i = 0; i < N; ++i)
    bytes[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return bytes;
}

BootBlock sample() {
  BootBlock b;
  b.application = "gnumeric";
  b.version = 12;
  b.image = zar::sha256({});
  b.shape = {1 << 20, 65536, 128};
  return b;
}

TEST(Ed25519, MatchesRfc8032) {  // section 7.1, test 1: the empty message
  const SigningKey key = {
      from_hex<32>("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")};
  EXPECT_EQ(public_key(key),
            from_hex<32>("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  const auto signature = sign_bytes({}, key);
  EXPECT_EQ(signature,
            from_hex<64>("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"));
  EXPECT_TRUE(signature_holds({}, signature, public_key(key)));
}

TEST(BootBlock, ComesBackFromItsWireForm) {
  const SigningKey key = make_signing_key();
  const auto wire = sign(sample(), key);
  EXPECT_EQ(wire.size(), 64u + 76u + 8u);
  const BootBlock b = open_boot_block(wire, public_key(key), "test");
  EXPECT_EQ(b.application, "gnumeric");
  EXPECT_EQ(b.version, 12u);
  EXPECT_EQ(b.image, sample().image);
  EXPECT_EQ(b.shape, sample().shape);
  EXPECT_EQ(sign(sample(), key), wire);  // Ed25519 and the form are deterministic
}

TEST(BootBlock, SignedBySomebodyElseIsRefused) {
  const SigningKey key = make_signing_key(), other = make_signing_key();
  EXPECT_NE(public_key(key), public_key(other));
  try {
    open_boot_block(sign(sample(), other), public_key(key), "from the cache");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("from the cache: the boot block's signature"));
  }
}

TEST(BootBlock, AnyChangedByteIsRefused) {
  const SigningKey key = make_signing_key();
  const auto wire = sign(sample(), key);
  for (std::size_t at = 0; at < wire.size(); ++at) {
    auto changed = wire;
    changed[at] ^= std::byte{1};
    EXPECT_THROW(open_boot_block(changed, public_key(key), "test"), InputError) << at;
  }
}

TEST(BootBlock, AnyOtherLengthIsRefused) {
  const SigningKey key = make_signing_key();
  const auto wire = sign(sample(), key);
  for (std::size_t n = 0; n < 400; ++n) {
    auto other = wire;
    other.resize(n);
    if (n != wire.size()) {
      EXPECT_THROW(open_boot_block(other, public_key(key), "test"), InputError) << n;
    }
  }
}

// A vendor with a broken tool: the signature is right and the content is not.
TEST(BootBlock, ProperlySignedNonsenseIsRefused) {
  const SigningKey key = make_signing_key();
  const auto wire = sign(sample(), key);
  const std::vector<std::byte> payload(wire.begin() + 64, wire.end());
  const auto refused = [&](std::size_t at, int value) {
    auto changed = payload;
    changed[at] = static_cast<std::byte>(value);
    const auto signature = sign_bytes(changed, key);
    std::vector<std::byte> resigned(signature.begin(), signature.end());
    resigned.insert(resigned.end(), changed.begin(), changed.end());
    EXPECT_THROW(open_boot_block(resigned, public_key(key), "test"), InputError) << at;
  };
  refused(0, 'X');    // magic
  refused(8, 2);      // version of the form
  refused(12, 2);     // hash id
  refused(56, 1);     // length no multiple of the block size
  refused(63, 1);     // length beyond all bounds
  refused(64, 1);     // block size
  refused(68, 1);     // degree
  refused(72, 7);     // name shorter than what follows
  refused(72, 9);     // and longer
  refused(75, 0xff);  // and much longer
  refused(76, '\n');  // name not printable
  refused(76, 0xc3);
}

TEST(BootBlock, WithABadFieldIsNotSigned) {
  const SigningKey key = make_signing_key();
  BootBlock b = sample();
  b.application = "";
  EXPECT_THROW(sign(b, key), InputError);
  b.application = std::string(129, 'a');
  EXPECT_THROW(sign(b, key), InputError);
  b.application = "tab\t";
  EXPECT_THROW(sign(b, key), InputError);
  b = sample();
  b.shape.degree = 1;
  EXPECT_THROW(sign(b, key), InputError);
}

TEST(BootBlock, NamesOfOneAndOf128CharactersWork) {
  const SigningKey key = make_signing_key();
  for (const std::size_t n : {1u, 128u}) {
    BootBlock b = sample();
    b.application = std::string(n, 'x');
    EXPECT_EQ(open_boot_block(sign(b, key), public_key(key), "test").application, b.application);
  }
}

}  // namespace
}  // namespace missive::origin
