#include "real/domains/service/service.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/sha.h>
#include <nlohmann/json.hpp>

#include "models/random.h"

namespace missive::domains {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes serve(std::int32_t entry, const Bytes& request, std::size_t capacity) {
  Bytes reply(capacity, 0xee);
  const std::int64_t n =
      missive_service(entry, request.data(), request.size(), reply.data(), capacity);
  EXPECT_GE(n, 0);
  reply.resize(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)));
  return reply;
}

Bytes of_text(const std::string& text) { return Bytes(text.begin(), text.end()); }

Bytes of_words(const std::vector<std::uint32_t>& words) {
  Bytes bytes(words.size() * 4);
  if (!bytes.empty()) std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

std::vector<std::uint32_t> to_words(const Bytes& bytes) {
  std::vector<std::uint32_t> words(bytes.size() / 4);
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * 4);
  return words;
}

std::string hex(const Bytes& bytes) {
  std::string out;
  for (const auto b : bytes) {
    out += "0123456789abcdef"[b >> 4];
    out += "0123456789abcdef"[b & 15];
  }
  return out;
}

TEST(Service, NullAnswersNothing) { EXPECT_EQ(missive_service(0, nullptr, 0, nullptr, 0), 0); }

TEST(Service, RefusesUnknownEntriesAndRepliesThatDoNotFit) {
  const Bytes request(64, 1);
  Bytes reply(64);
  for (const std::int32_t entry : {-1, 8, 99, 1 << 30})
    EXPECT_EQ(missive_service(entry, request.data(), 64, reply.data(), 64), -1) << entry;
  const std::map<std::int32_t, std::size_t> needs = {{1, 32}, {2, 64}, {3, 16},
                                                     {4, 64}, {5, 8},  {6, 8}};
  for (const auto& [entry, bytes] : needs)
    for (const std::size_t short_by : {std::size_t{1}, bytes / 2, bytes}) {
      if (entry == 4 && short_by == 1) continue;  // the table may take fewer words
      EXPECT_EQ(missive_service(entry, request.data(), 64, reply.data(), bytes - short_by), -1)
          << entry;
    }
}

// FIPS 180-4 examples, and every length around the padding's borders against OpenSSL.
TEST(Service, HashIsSha256) {
  EXPECT_EQ(hex(serve(1, of_text("abc"), 32)),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(serve(1, {}, 32)),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(serve(1, Bytes(1'000'000, 'a'), 32)),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  Random random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    Bytes text(size);
    for (auto& b : text) b = static_cast<std::uint8_t>(random.below(256));
    Bytes expected(32);
    ::SHA256(text.data(), text.size(), expected.data());
    EXPECT_EQ(serve(1, text, 32), expected) << size;
  }
}

TEST(Service, SortAgreesWithTheStandardLibrary) {
  Random random(2);
  for (const std::size_t n : {0, 1, 2, 3, 16, 17, 18, 33, 100, 1000, 4096, 50'000})
    for (const std::uint64_t range : {1ull, 2ull, 50ull, 1ull << 32}) {
      std::vector<std::uint32_t> words(n);
      for (auto& w : words) w = static_cast<std::uint32_t>(random.below(range));
      auto expected = words;
      std::sort(expected.begin(), expected.end());
      EXPECT_EQ(to_words(serve(2, of_words(words), 4 * n)), expected) << n << " " << range;
    }
}

TEST(Service, SortCopesWithOrderedInput) {
  std::vector<std::uint32_t> up(20'000);
  std::iota(up.begin(), up.end(), 0u);
  auto down = up;
  std::reverse(down.begin(), down.end());
  auto organ = up;  // up, then down
  std::reverse(organ.begin() + 10'000, organ.end());
  for (const auto& words : {up, down, organ})
    EXPECT_EQ(to_words(serve(2, of_words(words), 80'000)), up);
}

// M. D. McIlroy, "A killer adversary for quicksort" (1999): plays the service's own quicksort and
// decides the values of the elements while it compares them, always for the worst. What comes out
// is quadratic for that partition.
class Adversary {
 public:
  explicit Adversary(std::uint32_t n) : value_(n, kGas) {
    std::vector<std::uint32_t> ids(n);
    std::iota(ids.begin(), ids.end(), 0U);
    sort(ids);
    for (auto& v : value_) v = std::min(v, solid_);
  }
  const std::vector<std::uint32_t>& values() const { return value_; }

 private:
  static constexpr std::uint32_t kGas = ~0U;

  bool less(std::uint32_t a, std::uint32_t b) {
    if (a == b) return false;
    if (value_[a] == kGas && value_[b] == kGas) value_[a == candidate_ ? a : b] = solid_++;
    if (value_[a] == kGas) candidate_ = a;
    if (value_[b] == kGas) candidate_ = b;
    return value_[a] < value_[b];
  }

  // As partition() in service.c.
  std::size_t partition(std::span<std::uint32_t> ids) {
    const std::size_t n = ids.size(), middle = (n - 1) / 2;
    if (less(ids[middle], ids[0])) std::swap(ids[middle], ids[0]);
    if (less(ids[n - 1], ids[0])) std::swap(ids[n - 1], ids[0]);
    if (less(ids[n - 1], ids[middle])) std::swap(ids[n - 1], ids[middle]);
    const std::uint32_t pivot = ids[middle];
    for (std::size_t i = 0, j = n - 1;; ++i, --j) {
      while (less(ids[i], pivot)) ++i;
      while (less(pivot, ids[j])) --j;
      if (i >= j) return j + 1;
      std::swap(ids[i], ids[j]);
    }
  }

  void sort(std::span<std::uint32_t> ids) {
    while (ids.size() > 16) {
      const std::size_t cut = partition(ids);
      const auto low = ids.first(cut), high = ids.subspan(cut);
      sort(low.size() < high.size() ? low : high);
      ids = low.size() < high.size() ? high : low;
    }
  }

  std::vector<std::uint32_t> value_;
  std::uint32_t solid_ = 0, candidate_ = 0;
};

TEST(Service, SortSurvivesAnAdversary) {
  const std::uint32_t n = 5'000;
  const auto words = Adversary(n).values();
  auto expected = words;
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(to_words(serve(2, of_words(words), 4 * n)), expected);
}

TEST(Service, BytesBehindTheLastWholeWordAreNotSorted) {
  const Bytes reply = serve(2, {9, 0, 0, 0, 1, 0, 0, 0, 7, 7}, 16);
  EXPECT_EQ(reply, (Bytes{1, 0, 0, 0, 9, 0, 0, 0}));
}

struct Counts {
  std::uint32_t strings = 0, numbers = 0, depth = 0;
};

Counts count(const nlohmann::json& json, std::uint32_t depth = 0) {
  Counts c;
  if (json.is_string()) c.strings = 1;
  if (json.is_number()) c.numbers = 1;
  if (json.is_structured()) {
    c.depth = depth + 1;
    if (json.is_object()) c.strings = static_cast<std::uint32_t>(json.size());
    for (const auto& child : json) {
      const Counts inner = count(child, depth + 1);
      c.strings += inner.strings;
      c.numbers += inner.numbers;
      c.depth = std::max(c.depth, inner.depth);
    }
  }
  return c;
}

TEST(Service, JsonScanAgreesWithAParser) {
  for (const std::string text :
       {R"({})", R"([])", R"([1,-2.5e+3,"a\"b\\",true,null,{"k":[[["deep"]]]}])",
        R"({"a":{"b":[1,2,3],"c":"[{\"not\":1}]"},"d":[{},{},"\\\\"]})", R"("alone")", R"(17)"}) {
    const Counts expected = count(nlohmann::json::parse(text));
    EXPECT_EQ(to_words(serve(3, of_text(text), 16)),
              (std::vector<std::uint32_t>{expected.strings, expected.numbers, expected.depth, 1}))
        << text;
  }
}

TEST(Service, JsonScanSaysWhatIsNotBalanced) {
  for (const std::string text :
       {"[", "]", "[}", "{]", R"(["never ends)", R"("ends in \)", "][", "{[}]"})
    EXPECT_EQ(to_words(serve(3, of_text(text), 16))[3], 0u) << text;
  EXPECT_EQ(to_words(serve(3, of_text(std::string(64, '[') + std::string(64, ']')), 16))[3], 1u);
  EXPECT_EQ(to_words(serve(3, of_text(std::string(65, '[') + std::string(65, ']')), 16))[3], 0u);
}

TEST(Service, LookupAgreesWithASet) {
  Random random(3);
  for (const std::size_t n : {0, 1, 2, 3, 7, 8, 9, 255, 256, 1000, 4095})
    for (const std::uint64_t range : {2ull, 100ull, 1ull << 32}) {
      std::vector<std::uint32_t> words(n);
      for (auto& w : words) w = static_cast<std::uint32_t>(random.below(range));
      const std::set<std::uint32_t> table(words.begin(), words.begin() + static_cast<long>(n / 2));
      std::uint32_t found = 0;
      for (std::size_t i = n / 2; i < n; ++i) found += table.contains(words[i]) ? 1 : 0;
      const auto size = static_cast<std::uint32_t>(table.size());
      EXPECT_EQ(to_words(serve(4, of_words(words), std::max<std::size_t>(4 * n, 8))),
                (std::vector<std::uint32_t>{found, size}))
          << n << " " << range;
    }
}

TEST(Service, WalkFollowsTheWholeCycle) {
  EXPECT_EQ(to_words(serve(5, of_words({2, 0, 3, 1}), 8)), (std::vector<std::uint32_t>{0, 6}));
  EXPECT_EQ(to_words(serve(5, of_words({1, 1, 1}), 8)), (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(to_words(serve(5, {}, 8)), (std::vector<std::uint32_t>{0, 0}));
}

TEST(Service, WalkRefusesToLeaveTheRequest) {
  const Bytes request = of_words({1, 2, 4});
  Bytes reply(8);
  EXPECT_EQ(missive_service(5, request.data(), request.size(), reply.data(), 8), -1);
}

TEST(Service, SumReadsEveryByte) {
  Random random(4);
  for (const std::size_t size : {0, 1, 7, 8, 9, 1023, 1024, 1025, 100'000}) {
    Bytes bytes(size);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random.below(256));
    const auto expected = std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
    const Bytes reply = serve(6, bytes, 8);
    std::uint64_t sum = 0;
    std::memcpy(&sum, reply.data(), 8);
    EXPECT_EQ(sum, expected) << size;
  }
  std::uint64_t full = 0;  // the lanes must not overflow
  std::memcpy(&full, serve(6, Bytes(1 << 20, 255), 8).data(), 8);
  EXPECT_EQ(full, 255u << 20);
}

TEST(Service, AnyAddressWillDo) {
  Bytes text(1001), reply(101);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::uint8_t>(i * 7);
  for (std::int32_t entry = 0; entry < 7; ++entry) {
    const Bytes aligned = Bytes(text.begin() + 1, text.begin() + 81);
    const std::int64_t n = missive_service(entry, text.data() + 1, 80, reply.data() + 1, 100);
    Bytes expected(100);
    ASSERT_EQ(n, missive_service(entry, aligned.data(), 80, expected.data(), 100));
    if (n > 0) {
      EXPECT_EQ(std::memcmp(reply.data() + 1, expected.data(), static_cast<std::size_t>(n)), 0);
    }
  }
}

}  // namespace
}  // namespace missive::domains
