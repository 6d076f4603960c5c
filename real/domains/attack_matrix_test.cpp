// The short form of the attack matrix: every mechanism that runs here, every hostile guest.

#include "real/domains/attack_matrix.h"

#include <chrono>
#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace missive::domains {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

AttackOptions short_form() {
  AttackOptions options;
  options.deadline = std::chrono::milliseconds(100);
  options.hog_bytes = 192u << 20;
  options.children = 32;
  return options;
}

void show(const AttackMatrix& matrix) {
  for (const AttackOutcome& o : matrix.outcomes) {
    const auto info = std::find_if(attacks().begin(), attacks().end(),
                                   [&o](const AttackInfo& a) { return a.attack == o.attack; });
    std::printf("  %-16s %-17s %-14s %s\n", matrix.mechanism.c_str(), info->name.c_str(),
                name_of(o.verdict).c_str(), o.evidence.c_str());
  }
}

class AttackMatrixOf : public testing::TestWithParam<std::string> {};

TEST_P(AttackMatrixOf, HoldsWhatTheMechanismClaims) {
  const Mechanism& m = mechanism(GetParam());
  try {
    if (m.prepare) m.prepare();
  } catch (const NotAvailable& e) {
    GTEST_SKIP() << e.what();
  }
  if (const auto why = m.unavailable(); !why.empty()) GTEST_SKIP() << why;
  AttackOptions options = short_form();
  const auto slow = [&m] {
    const auto begin = std::chrono::steady_clock::now();
    m.create({})->call(Entry::null, {}, {});
    return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(700);
  };
  // A domain that takes seconds to make: one attack for each claim.
  const bool emulated = !why_untimed(m).empty();
  if (emulated || slow()) {
    options.bystander = !emulated;
    options.only = {Attack::wild_write, Attack::endless_loop, Attack::memory_hog,
                    Attack::open_host_file, Attack::crash};
  }
  const AttackMatrix matrix = attack_matrix(m, options);
  show(matrix);
  EXPECT_THAT(broken_claims(m.claims, matrix), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Mechanisms, AttackMatrixOf, testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const Mechanism& m : mechanisms()) names.push_back(m.name);
                           return names;
                         }()),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

class NoBoundary : public testing::TestWithParam<std::string> {};

TEST_P(NoBoundary, ShowsAsNone) {
  const auto& all = mechanisms();
  const auto found =
      std::find_if(all.begin(), all.end(), [](const Mechanism& m) { return m.name == GetParam(); });
  if (found == all.end()) GTEST_SKIP() << "not in this build";
  if (const auto why = found->unavailable(); !why.empty()) GTEST_SKIP() << why;
  AttackOptions options = short_form();
  options.only = {Attack::wild_read, Attack::wild_write, Attack::wild_jump};
  for (const AttackOutcome& o : attack_matrix(*found, options).outcomes) {
    EXPECT_EQ(o.verdict, Verdict::not_contained) << static_cast<int>(o.attack) << o.evidence;
  }
  EXPECT_FALSE(found->claims.memory);
  EXPECT_FALSE(found->claims.control);
}

INSTANTIATE_TEST_SUITE_P(Mechanisms, NoBoundary,
                         testing::Values("call", "coroutine", "thread", "pie", "pie-dynamic",
                                         "segment"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// The judge is judged: where nothing is contained, it must see each kind of damage.
TEST(AttackMatrix, SeesEveryKindOfDamageThroughAPlainCall) {
  AttackOptions options = short_form();
  const AttackMatrix matrix = attack_matrix(mechanism("call"), options);
  for (const AttackOutcome& o : matrix.outcomes) {
    // The reply's length is checked for every mechanism alike.
    const Verdict expected =
        o.attack == Attack::oversized_reply ? Verdict::contained : Verdict::not_contained;
    EXPECT_EQ(o.verdict, expected) << static_cast<int>(o.attack) << ": " << o.evidence;
  }
  Containment everything{true, true, true, true, true};
  const auto broken = broken_claims(everything, matrix);
  EXPECT_GE(broken.size(), 12U);
  EXPECT_THAT(broken.front(), HasSubstr("call claims to contain memory, but wild-read"));
}

TEST(AttackMatrix, AClaimThatNoAttackTriedDoesNotHold) {
  const AttackMatrix none{"mute", {{Attack::memory_hog, Verdict::not_applicable, "cannot"}}};
  Containment claims;
  EXPECT_TRUE(claims_hold(claims, none));
  claims.space = true;
  EXPECT_THAT(
      broken_claims(claims, none),
      testing::ElementsAre("mute claims to contain space, and no attack put it to the test"));
  AttackMatrix unable = none;
  unable.outcomes[0].impossible = true;
  EXPECT_TRUE(claims_hold(claims, unable)) << "what cannot be written is contained";
}

TEST(AttackMatrix, RefusesAMechanismThatIsNotAvailable) {
  Mechanism m = mechanism("call");
  m.unavailable = [] { return std::string("not today"); };
  EXPECT_THROW(attack_matrix(m, {}), NotAvailable);
}

TEST(AttackMatrix, AMechanismThatCannotMakeADomainIsAnErrorAndNoVerdict) {
  Mechanism m = mechanism("call");
  m.create = [](const DomainOptions&) -> std::unique_ptr<Domain> {
    throw RunError("no room for a domain");
  };
  try {
    try_attack(m, Attack::wild_read, {});
    FAIL() << "no exception";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("no room for a domain"));
  }
}

TEST(Attacks, AreFoundByNameAndNumberedAsTheGuestKnowsThem) {
  EXPECT_EQ(attack("fork-bomb").attack, Attack::fork_bomb);
  EXPECT_THROW(attack("fork-bom"), InputError);
  int number = 100;
  for (const AttackInfo& a : attacks()) EXPECT_EQ(static_cast<int>(a.attack), number++);
}

}  // namespace
}  // namespace missive::domains
