#include "real/zar/digest.h"

#include <gtest/gtest.h>

#include "models/error.h"

namespace missive::zar {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(Digest, MatchesThePublishedVectors) {  // FIPS 180-4 examples
  EXPECT_EQ(to_hex(sha256(bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Digest, PiecesGiveTheSameAsTheWhole) {
  Hasher hasher;
  EXPECT_EQ(hasher.update(bytes("a")).update({}).update(bytes("bc")).finish(),
            sha256(bytes("abc")));
  EXPECT_EQ(hasher.hash(bytes("abc")), sha256(bytes("abc")));  // and the next message starts afresh
}

TEST(Digest, HexComesBack) {
  const Digest d = sha256(bytes("abc"));
  EXPECT_EQ(digest_from_hex(to_hex(d)), d);
}

TEST(Digest, RefusesWhatIsNotSixtyFourHexadecimalDigits) {
  EXPECT_THROW(digest_from_hex(""), InputError);
  EXPECT_THROW(digest_from_hex(std::string(63, '0')), InputError);
  EXPECT_THROW(digest_from_hex(std::string(65, '0')), InputError);
  EXPECT_THROW(digest_from_hex(std::string(63, '0') + "g"), InputError);
}

}  // namespace
}  // namespace missive::zar
