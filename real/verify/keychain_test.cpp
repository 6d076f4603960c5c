#include "real/verify/keychain.h"

#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "real/verify/hkdf.h"
#include "real/zar/test_tree.h"

namespace missive::verify {
namespace {

namespace fs = std::filesystem;

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST(Hkdf, MatchesRfc5869) {
  std::vector<std::byte> out(42);
  hkdf_sha256(std::vector<std::byte>(22, std::byte{0x0b}), from_hex("000102030405060708090a0b0c"),
              from_hex("f0f1f2f3f4f5f6f7f8f9"), out);
  EXPECT_EQ(out, from_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                          "34007208d5b887185865"));  // A.1
  hkdf_sha256(std::vector<std::byte>(22, std::byte{0x0b}), {}, {}, out);
  EXPECT_EQ(out, from_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                          "9d201395faa4b61a96c8"));  // A.3: no salt, no info
}

TEST(Keychain, EveryInputOfTheChainChangesTheKey) {
  MasterKey master, other_master;
  other_master.bytes[0] = std::byte{1};
  PublicKey vendor{}, other_vendor{};
  other_vendor[31] = std::byte{1};
  zar::Digest image, other_image;
  other_image.bytes[5] = std::byte{1};
  std::set<std::array<std::byte, 32>> keys;
  for (const auto& m : {master, other_master})
    for (const auto& v : {vendor, other_vendor}) {
      const ApplicationSecret secret = application_secret(m, v);
      keys.insert(secret.bytes);
      for (const auto& i : {image, other_image})
        for (const std::uint64_t version : {0ull, 1ull, 1ull << 63})
          keys.insert(mac_key(secret, i, version).bytes);
    }
  EXPECT_EQ(keys.size(), 4u + 4u * 6u);
}

TEST(Keychain, IsTheDocumentedDerivation) {
  MasterKey master;
  master.bytes.fill(std::byte{7});
  PublicKey vendor;
  vendor.fill(std::byte{9});
  const std::string salt = "missive-sim/keychain/1";
  const std::string info = std::string("application", 11) + '\0' + std::string(32, '\x09');
  std::array<std::byte, 32> expected;
  hkdf_sha256(master.bytes, std::as_bytes(std::span(salt)), std::as_bytes(std::span(info)),
              expected);
  EXPECT_EQ(application_secret(master, vendor).bytes, expected);
}

class MasterKeyFile : public testing::Test {
 protected:
  fs::path file() const { return dir_.path() / "master.key"; }
  zar::TemporaryDirectory dir_;
};

TEST_F(MasterKeyFile, IsMadeOnceForItsOwnerOnly) {
  const MasterKey first = load_or_create_master_key(file());
  EXPECT_EQ(load_or_create_master_key(file()).bytes, first.bytes);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms{0600});
  EXPECT_EQ(fs::file_size(file()), 32u);
  EXPECT_NE(load_or_create_master_key(dir_.path() / "another").bytes, first.bytes);
}

TEST_F(MasterKeyFile, ThatOthersMayReadIsRefused) {
  load_or_create_master_key(file());
  for (const unsigned mode : {0640u, 0604u, 0620u, 0666u}) {
    fs::permissions(file(), fs::perms{mode});
    EXPECT_THROW(load_or_create_master_key(file()), InputError) << mode;
  }
}

TEST_F(MasterKeyFile, OfAnotherSizeOrKindIsRefused) {
  for (const std::size_t size : {0u, 16u, 31u, 33u}) {
    std::ofstream(file()) << std::string(size, 'k');
    fs::permissions(file(), fs::perms{0600});
    EXPECT_THROW(load_or_create_master_key(file()), InputError) << size;
  }
  fs::create_directory(dir_.path() / "directory");
  EXPECT_THROW(load_or_create_master_key(dir_.path() / "directory"), InputError);
  fs::create_symlink(file(), dir_.path() / "link");
  EXPECT_THROW(load_or_create_master_key(dir_.path() / "link"), InputError);
  ASSERT_EQ(::mkfifo((dir_.path() / "fifo").c_str(), 0600), 0);
  EXPECT_THROW(load_or_create_master_key(dir_.path() / "fifo"), InputError);  // and does not hang
}

TEST_F(MasterKeyFile, InAMissingDirectoryIsAnError) {
  EXPECT_THROW(load_or_create_master_key(dir_.path() / "no/where"), RunError);
}

TEST_F(MasterKeyFile, TwoMakersAtOnceAgree) {
  for (int round = 0; round < 20; ++round) {
    const fs::path path = dir_.path() / std::to_string(round);
    MasterKey a, b;
    std::thread other([&] { a = load_or_create_master_key(path); });
    b = load_or_create_master_key(path);
    other.join();
    EXPECT_EQ(a.bytes, b.bytes);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator{}), 20);
}

}  // namespace
}  // namespace missive::verify
