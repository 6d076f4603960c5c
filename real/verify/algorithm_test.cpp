// Published test vectors of every algorithm, and every instruction set against every other.

#include "real/verify/algorithm.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "real/verify/algorithms/multi_buffer_jobs.h"
#include "real/verify/algorithms/poly1305.h"
#include "real/verify/algorithms/vmac.h"
#include "real/zar/test_tree.h"

namespace missive::verify {
namespace {

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::vector<std::byte> text(const std::string& s) {
  const auto bytes = std::as_bytes(std::span(s));
  return {bytes.begin(), bytes.end()};
}

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte b : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(b));
    out += digits;
  }
  return out;
}

template <class Array>
Array array_of(const std::string& digits) {
  Array out{};
  const auto bytes = from_hex(digits);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

std::string digest_of(Engine& engine, std::span<const std::byte> message, const Nonce& nonce = {}) {
  std::vector<std::byte> out(engine.digest_bytes());
  engine.digest(message, nonce, out.data());
  return hex(out);
}

struct Vector {
  std::string key, nonce;
  std::vector<std::byte> message;
  std::string digest;
};

// 251 values over and over, as BLAKE3's test_vectors.json has its inputs.
std::vector<std::byte> ramp(std::size_t length) {
  std::vector<std::byte> bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

const std::string kAbc2 = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

std::map<std::string, std::vector<Vector>> published_vectors() {
  const std::vector<Vector> sha256{
      {"", "", {}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"", "", text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"", "", text(kAbc2), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"", "", text(std::string(1'000'000, 'a')),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};
  const std::vector<Vector> gmac{
      {"00000000000000000000000000000000",
       "000000000000000000000000",
       {},
       "58e2fccefa7e3061367f1d57a4e7455a"},
      {"77be63708971c4e240d1cb79e8d77feb", "e0e00f19fed7ba0136a797f3",
       from_hex("7a43ec1d9c0a5a78a0b16533a6213cab"), "209fcc8d3675ed938e9c7166709dd946"}};
  const std::string cmac_key = "2b7e151628aed2a6abf7158809cf4f3c";
  const std::string cmac_text =
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
      "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
  const std::vector<Vector> cmac{
      {cmac_key, "", {}, "bb1d6929e95937287fa37d129b756746"},
      {cmac_key, "", from_hex(cmac_text.substr(0, 32)), "070a16b46b4d4144f79bdd9dd04a287c"},
      {cmac_key, "", from_hex(cmac_text.substr(0, 80)), "dfa66747de9ae63030ca32611497c827"},
      {cmac_key, "", from_hex(cmac_text), "51f0bebf7e3b9d92fc49741779363cfe"}};
  const std::string blake3_key = hex(text("whats the Elvish word for friend"));
  return {
      {"sha1",
       {{"", "", {}, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"", "", text("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"", "", text(kAbc2), "84983e441c3bd26ebaae4aa1f95129e5e54670f1"}}},
      {"sha256", sha256},
      {"sha256-mb", sha256},
      {"sha512-256",
       {{"", "", text("abc"), "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"}}},
      {"blake2b",
       {{"", "", text("abc"),
         "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
         "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"}}},
      {"blake3",
       {{"", "", {}, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
        {"", "", ramp(1), "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
        {"", "", ramp(1024), "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"}}},
      {"blake3-keyed",
       {{blake3_key, "", {}, "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"}}},
      {"gmac", gmac},
      {"gmac-mb", gmac},
      {"cmac", cmac},
      {"cmac-mb", cmac},
      {"xxh3", {{"", "", {}, "2d06800538d394c2"}}},
  };
}

TEST(Algorithms, ReproduceTheirPublishedVectors) {
  const auto vectors = published_vectors();
  for (const Algorithm& a : algorithms()) {
    if (a.name.starts_with("vmac") || a.name == "poly1305") continue;  // below
    ASSERT_TRUE(vectors.contains(a.name)) << a.name << " has no vectors";
    if (!unavailable(a).empty()) continue;
    for (const Vector& v : vectors.at(a.name)) {
      const auto engine = a.make(array_of<EngineKey>(v.key));
      EXPECT_EQ(digest_of(*engine, v.message, array_of<Nonce>(v.nonce)), v.digest)
          << a.name << ", " << v.message.size() << " bytes";
    }
  }
}

// RFC 8439, 2.5.2 and 2.6.2; and the engine is the one after the other.
TEST(Algorithms, Poly1305IsRfc8439) {
  const auto message = text("Cryptographic Forum Research Group");
  EXPECT_EQ(hex(poly1305_once(array_of<EngineKey>("85d6be7857556d337f4452fe42d506a8"
                                                  "0103808afb0db2fd4abff6af4149f51b"),
                              message)),
            "a8061dc1305136c6c22b8baf0c0127a9");
  const auto key =
      array_of<EngineKey>("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const auto nonce = array_of<Nonce>("000000000001020304050607");
  const EngineKey once = poly1305_one_time_key(key, nonce);
  EXPECT_EQ(hex(once), "8ad5a08b905f81cc815040274ab29471a833b637e3fd0da508dbb8e2fdd1a646");
  EXPECT_EQ(digest_of(*algorithm("poly1305").make(key), message, nonce),
            hex(poly1305_once(once, message)));
}

// draft-krovetz-vmac-01, appendix A: nonces of 8 bytes.
TEST(Algorithms, VmacIsItsDraft) {
  const auto key_bytes = text("abcdefghijklmnop");
  const std::span<const std::byte, 16> key(key_bytes.data(), 16);
  const auto nonce = text("bcdefghi");
  std::string long_message;
  for (int i = 0; i < 100; ++i) long_message += "abc";
  EXPECT_EQ(hex(vmac_once(64, key, nonce, {})), "2576be1c56d8b81b");
  EXPECT_EQ(hex(vmac_once(64, key, nonce, text("abc"))), "2d376cf5b1813ce5");
  EXPECT_EQ(hex(vmac_once(64, key, nonce, text(long_message))), "4492df6c5cac1bbe");
  EXPECT_EQ(hex(vmac_once(128, key, nonce, {})), "472766c70f74ed23481d6d7de4e80dac");
  EXPECT_EQ(hex(vmac_once(128, key, nonce, text("abc"))), "4ee815a06a1d71edd36fc75d51188a42");
  EXPECT_EQ(hex(vmac_once(128, key, nonce, text(long_message))),
            "66438817154850c61d8a412164803bcb");
}

TEST(Algorithms, VmacEnginesAreVmac) {
  const auto message = text(zar::noise(5000, 3));
  EngineKey key{};
  key[3] = std::byte{9};
  for (const std::uint64_t index : {0ull, 1ull, 77'777ull}) {
    const Nonce nonce = nonce_of(index);
    const std::span<const std::byte, 16> front(key.data(), 16);
    EXPECT_EQ(digest_of(*algorithm("vmac-64").make(key), message, nonce),
              hex(vmac_once(64, front, nonce, message)));
    EXPECT_EQ(digest_of(*algorithm("vmac-128").make(key), message, nonce),
              hex(vmac_once(128, front, nonce, message)));
  }
}

TEST(Algorithms, ManyMessagesAtOnceGiveWhatEachGivesAlone) {
  const auto data = text(zar::noise(70 * 1024 + 5, 8));
  EngineKey key{};
  key[0] = std::byte{42};
  for (const Algorithm& a : algorithms()) {
    if (!unavailable(a).empty()) continue;
    const auto engine = a.make(key);
    for (const std::size_t block : {1000u, 4096u, 65536u, 1u << 20}) {
      const std::size_t n = (data.size() + block - 1) / block;
      std::vector<std::byte> all(n * a.digest_bytes);
      engine->digest_blocks(data, block, 5, all);
      for (std::size_t i = 0; i < n; ++i) {
        const auto message =
            std::span(data).subspan(i * block).first(std::min(block, data.size() - i * block));
        EXPECT_EQ(hex(std::span(all).subspan(i * a.digest_bytes, a.digest_bytes)),
                  digest_of(*engine, message, nonce_of(5 + i)))
            << a.name << " block " << i << " of " << block;
      }
    }
  }
}

TEST(Algorithms, KeyAndNonceCountExactlyWhereTheRegistrySaysSo) {
  const auto message = text("the same message");
  EngineKey other_key{};
  other_key[0] = std::byte{1};
  for (const Algorithm& a : algorithms()) {
    if (!unavailable(a).empty()) continue;
    const auto engine = a.make({});
    const std::string base = digest_of(*engine, message, nonce_of(0));
    EXPECT_EQ(digest_of(*engine, message, nonce_of(0)), base) << a.name;
    EXPECT_EQ(digest_of(*engine, message, nonce_of(1)) != base, a.nonce != NonceRule::none)
        << a.name;
    EXPECT_EQ(digest_of(*a.make(other_key), message, nonce_of(0)) != base, a.keyed()) << a.name;
  }
}

TEST(Algorithms, StateWhatTheyAreAndWhatTheyMayBeUsedFor) {
  std::set<std::string> names;
  for (const Algorithm& a : algorithms()) {
    EXPECT_TRUE(names.insert(a.name).second) << a.name;
    EXPECT_FALSE(a.guarantee.empty() || a.vectors.empty() || a.library.empty()) << a.name;
    EXPECT_EQ(a.make({})->digest_bytes(), a.digest_bytes) << a.name;
    // A reference has no standing, and nothing else is without.
    EXPECT_EQ(a.family == Family::reference, a.standing == Standing::none) << a.name;
    if (a.family == Family::mac && a.standing == Standing::sound && a.name != "vmac-64") {
      EXPECT_GE(a.digest_bytes, 16u) << a.name;
    }
  }
  EXPECT_EQ(algorithm("sha1").standing, Standing::broken);
  EXPECT_THROW(algorithm("sha257"), InputError);
}

TEST(NonceOf, NeverGivesTheSameTwice) {
  std::set<Nonce> seen;
  for (const std::uint64_t i : {0ull, 1ull, 255ull, 256ull, 1ull << 32, 1ull << 63, ~0ull})
    EXPECT_TRUE(seen.insert(nonce_of(i)).second) << i;
}

// The fallbacks: the same results from every instruction set this processor has.
TEST(MultiBuffer, ManagersAreUsedAgainByWhoAsksForTheSameKind) {
  const MultiBuffer::Options plain{SimdLevel::sse, true}, full{SimdLevel::sse, false};
  const auto used = std::make_unique<MultiBuffer>(plain)->get();
  const MultiBuffer other(full), again(plain), third(plain);
  EXPECT_EQ(again.get(), used);
  EXPECT_NE(other.get(), used);
  EXPECT_NE(third.get(), used);
}

class InstructionSets : public ::testing::TestWithParam<MultiBuffer::Options> {
 protected:
  // Messages of every length to 300 and some longer ones, with and without a whole last block.
  template <class Make>
  void expect_same(const std::string& reference, const Make& make) {
    const auto data = text(zar::noise(200'000, 4));
    EngineKey key{};
    key[15] = std::byte{7};
    std::unique_ptr<Engine> here;
    try {
      here = make(key);
    } catch (const NotAvailable& e) {
      GTEST_SKIP() << e.what();
    }
    const auto there = algorithm(reference).make(key);
    for (std::size_t length = 0; length <= 300; ++length) {
      const auto message = std::span(data).first(length);
      ASSERT_EQ(digest_of(*here, message, nonce_of(length)),
                digest_of(*there, message, nonce_of(length)))
          << length;
    }
    for (const std::size_t block : {64u, 1000u, 4096u, 6000u, 16384u}) {
      const std::size_t n = (data.size() + block - 1) / block;
      std::vector<std::byte> a(n * here->digest_bytes()), b(a.size());
      here->digest_blocks(data, block, 0, a);
      there->digest_blocks(data, block, 0, b);
      EXPECT_EQ(a, b) << block;
    }
  }
};

TEST_P(InstructionSets, Sha256IsTheSame) {
  expect_same("sha256", [](const EngineKey&) { return sha256_mb_engine(GetParam()); });
}
TEST_P(InstructionSets, GmacIsTheSameHoweverItsMessagesAreFetched) {
  for (const Fetching fetching : {Fetching::asked_ahead, Fetching::two_places}) {
    SCOPED_TRACE(to_string(fetching));
    expect_same("gmac",
                [&](const EngineKey& key) { return gmac_mb_engine(key, GetParam(), fetching); });
  }
}
TEST_P(InstructionSets, CmacIsTheSame) {
  expect_same("cmac", [](const EngineKey& key) { return cmac_mb_engine(key, GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(All, InstructionSets,
                         ::testing::Values(MultiBuffer::Options{SimdLevel::sse, true},
                                           MultiBuffer::Options{SimdLevel::sse, false},
                                           MultiBuffer::Options{SimdLevel::avx2, true},
                                           MultiBuffer::Options{SimdLevel::avx2, false},
                                           MultiBuffer::Options{SimdLevel::avx512, true},
                                           MultiBuffer::Options{SimdLevel::avx512, false}),
                         [](const auto& each) {
                           std::string name = each.param.level == SimdLevel::avx512 ? "Avx512"
                                              : each.param.level == SimdLevel::avx2 ? "Avx2"
                                                                                    : "Sse";
                           return name + (each.param.plain ? "Plain" : "");
                         });

TEST(Fallback, FollowsTheProcessor) {
  CpuFeatures f;
  EXPECT_EQ(best_level(f), SimdLevel::sse);
  EXPECT_EQ(preferred_gmac(f), "gmac");
  EXPECT_EQ(preferred_sha256(f), "sha256");
  f.aesni = f.sha_ni = true;
  EXPECT_EQ(preferred_sha256(f), "sha256-mb");  // two lanes of SHA-NI
  f.avx2 = true;
  EXPECT_EQ(best_level(f), SimdLevel::avx2);
  EXPECT_EQ(preferred_gmac(f), "gmac");
  f.avx512 = true;
  EXPECT_EQ(best_level(f), SimdLevel::avx512);
  EXPECT_EQ(preferred_gmac(f), "gmac");  // wide registers alone do not help AES
  f.vaes = true;
  EXPECT_EQ(preferred_gmac(f), "gmac-mb");
  f.avx512 = false;  // VAES on 256 bits: libipsec-mb 1.3 does not use it
  EXPECT_EQ(preferred_gmac(f), "gmac");
}

TEST(Fallback, AsksForBlocksAheadOnlyWhereThatIsQuick) {
  CpuFeatures f;
  f.aesni = f.avx2 = f.avx512 = f.vaes = true;
  EXPECT_EQ(preferred_fetching(f), Fetching::two_places);
  f.quick_prefetch = true;
  EXPECT_EQ(preferred_fetching(f), Fetching::asked_ahead);
}

TEST(Fallback, PicksWhatThisHostHas) {
  const CpuFeatures f = cpu_features();
  for (const std::string& name : {preferred_gmac(f), preferred_sha256(f)})
    EXPECT_EQ(unavailable(algorithm(name)), "") << name;
}

}  // namespace
}  // namespace missive::verify
