// What every mechanism promises, asked of each one that runs here.

#include "real/domains/domain.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "real/domains/requests.h"
#include "real/domains/service/service.h"

namespace missive::domains {
namespace {

using Bytes = std::vector<std::byte>;

Bytes expected_reply(Entry entry, const Bytes& request) {
  Bytes reply(reply_room(entry, request.size()));
  const auto n = missive_service(
      static_cast<std::int32_t>(entry), reinterpret_cast<const std::uint8_t*>(request.data()),
      request.size(), reinterpret_cast<std::uint8_t*>(reply.data()), reply.size());
  EXPECT_GE(n, 0);
  reply.resize(static_cast<std::size_t>(n));
  return reply;
}

class EveryMechanism : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    mechanism_ = &mechanism(GetParam());
    try {
      if (mechanism_->prepare) mechanism_->prepare();
    } catch (const NotAvailable& e) {
      GTEST_SKIP() << e.what();
    }
    if (const auto why = mechanism_->unavailable(); !why.empty()) GTEST_SKIP() << why;
    slow_ = !why_untimed(*mechanism_).empty();
  }
  static void TearDownTestSuite() { kept_.reset(); }

  // A domain of its own for each test; where making one takes seconds, one for those tests that do
  // it no harm and can do with its sizes.
  Domain& domain(const DomainOptions& options = {}) {
    if (!slow_) {
      own_ = mechanism_->create(options);
      return *own_;
    }
    if (kept_of_ != GetParam()) {
      kept_.reset();
      DomainOptions both;
      both.shared_bytes = 100'000;
      kept_ = mechanism_->create(both);
      kept_of_ = GetParam();
    }
    return *kept_;
  }

  const Mechanism* mechanism_ = nullptr;
  bool slow_ = false;

 private:
  std::unique_ptr<Domain> own_;
  static inline std::unique_ptr<Domain> kept_;
  static inline std::string kept_of_;
};

TEST_P(EveryMechanism, AnswersEveryEntryAsAPlainCallDoes) {
  Domain& each = domain();
  for (const Entry entry : kernels())
    for (const std::size_t size : {64U, 4096U, 60'000U}) {
      const Bytes request = make_request(entry, size, 7);
      Bytes reply(reply_room(entry, request.size()));
      const std::size_t n = each.call(entry, request, reply);
      reply.resize(n);
      EXPECT_EQ(reply, expected_reply(entry, request)) << name_of(entry) << " of " << size;
    }
  EXPECT_EQ(each.call(Entry::null, {}, {}), 0U);
}

TEST_P(EveryMechanism, RefusesMessagesLargerThanAgreed) {
  DomainOptions options;
  if (!slow_) options.max_message = 1000;
  Domain& each = domain(options);
  const Bytes large(options.max_message + 1);
  Bytes reply(8), large_reply(options.max_message + 1);
  EXPECT_THROW(each.call(Entry::sum, large, reply), InputError);
  EXPECT_THROW(each.call(Entry::sum, reply, large_reply), InputError);
  EXPECT_EQ(each.call(Entry::sum, std::span(large).first(options.max_message), reply), 8U)
      << "still usable";
}

TEST_P(EveryMechanism, AnUnknownEntryIsRefusedAndTheDomainLives) {
  Domain& each = domain();
  Bytes reply(8);
  EXPECT_THROW(each.call(static_cast<Entry>(77), {}, reply), InputError);
  EXPECT_THROW(each.call(Entry::hash, {}, reply), InputError) << "32 bytes do not fit into 8";
  EXPECT_EQ(each.call(Entry::sum, {}, reply), 8U);
}

TEST_P(EveryMechanism, SharedMemoryIsSeenByBothSides) {
  DomainOptions options;
  options.shared_bytes = 100'000;
  Domain& each = domain(options);
  const auto shared = each.shared();
  if (shared.empty()) GTEST_SKIP() << "shares no memory";
  ASSERT_EQ(shared.size(), 100'000U);
  const Bytes data = make_request(Entry::sum, shared.size(), 3);
  std::copy(data.begin(), data.end(), shared.begin());
  Bytes reply(8);
  // Larger than max_message: it is not copied.
  EXPECT_EQ(each.call(Entry::sum, shared, reply), 8U);
  EXPECT_EQ(reply, expected_reply(Entry::sum, data));
  shared[5000] = ~shared[5000];
  Bytes changed = data;
  changed[5000] = ~changed[5000];
  each.call(Entry::sum, shared.subspan(4096, 4096), reply);
  EXPECT_EQ(reply,
            expected_reply(Entry::sum, Bytes(changed.begin() + 4096, changed.begin() + 8192)));
}

TEST_P(EveryMechanism, DomainsAreCalledInAnyOrderAndGoInAnyOrder) {
  if (slow_) GTEST_SKIP() << "five domains would take a minute";
  std::vector<std::unique_ptr<Domain>> domains;
  for (int i = 0; i < 5; ++i) domains.push_back(mechanism_->create({}));
  Bytes reply(8);
  for (const std::size_t i : {0U, 3U, 1U, 4U, 2U, 0U, 0U}) {
    const Bytes request(i + 1, std::byte{1});
    ASSERT_EQ(domains[i]->call(Entry::sum, request, reply), 8U);
    EXPECT_EQ(static_cast<std::size_t>(reply[0]), i + 1);
  }
  domains[2].reset();
  domains[0].reset();
  EXPECT_EQ(domains[4]->call(Entry::sum, {}, reply), 8U);
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const Mechanism& m : mechanisms()) names.push_back(m.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Here, EveryMechanism, testing::ValuesIn(all_names()),
                         [](const auto& which) {
                           std::string name = which.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Registry, NamesAreUniqueAndDescribed) {
  std::set<std::string> seen;
  for (const Mechanism& m : mechanisms()) {
    EXPECT_TRUE(seen.insert(m.name).second) << m.name;
    EXPECT_FALSE(m.what.empty()) << m.name;
    EXPECT_NE(m.create, nullptr) << m.name;
    ASSERT_NE(m.unavailable, nullptr) << m.name;
    EXPECT_EQ(m.unavailable(), m.unavailable()) << "the answer must be stable";
  }
}

TEST(Registry, AMisspeltNameGetsASuggestion) {
  try {
    mechanism("proces-pipe");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("did you mean 'process-pipe'?"));
  }
}

TEST(Requests, AreTheSameForTheSameSeed) {
  for (const Entry entry : kernels()) {
    EXPECT_EQ(make_request(entry, 4096, 1), make_request(entry, 4096, 1));
    EXPECT_NE(make_request(entry, 4096, 1), make_request(entry, 4096, 2));
    EXPECT_LE(make_request(entry, 4096, 1).size(), 4096U);
  }
  EXPECT_THROW(make_request(Entry::walk, 3, 1), InputError);
}

TEST(Requests, TheWalkVisitsEveryWordOnce) {
  const Bytes request = make_request(Entry::walk, 4000, 5);
  const Bytes reply = expected_reply(Entry::walk, request);
  std::uint32_t end = 1, sum = 0;
  std::memcpy(&end, reply.data(), 4);
  std::memcpy(&sum, reply.data() + 4, 4);
  EXPECT_EQ(end, 0U) << "a single cycle comes home";
  EXPECT_EQ(sum, 1000U * 999U / 2);
}

TEST(Requests, JsonIsBalancedAndLookupsHitAboutHalf) {
  const Bytes scan = expected_reply(Entry::json_scan, make_request(Entry::json_scan, 4096, 5));
  std::uint32_t balanced = 0, found = 0;
  std::memcpy(&balanced, scan.data() + 12, 4);
  EXPECT_EQ(balanced, 1U);
  const Bytes hits = expected_reply(Entry::lookup, make_request(Entry::lookup, 8000, 5));
  std::memcpy(&found, hits.data(), 4);
  EXPECT_GT(found, 400U);
  EXPECT_LT(found, 600U);
}

}  // namespace
}  // namespace missive::domains
