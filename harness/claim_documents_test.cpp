// The committed documents say what would be made from the claims file and the recorded verdicts
// now.

#include "harness/claim_documents.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/claim_text.h"
#include "harness/test_support.h"
#include "models/error.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

const bool kDataReady = (use_source_data(), true);

TEST(ClaimDocuments, TheCommittedOnesAreCurrent) {
  const ClaimsFile claims = load_claims();
  const auto verdicts = recorded_verdicts(claims);
  for (const char* name : {"README.md", "docs/claims.md", "docs/artifact-appendix.md"}) {
    const std::string text = read_document(source_dir() / name);
    EXPECT_EQ(with_claim_sections(text, claims, verdicts, name), text)
        << "write it again: missive-sim claims --update " << name;
  }
}

TEST(ClaimDocuments, EveryClaimHasARowAndAVerdict) {
  const ClaimsFile claims = load_claims();
  const auto verdicts = recorded_verdicts(claims);
  ASSERT_EQ(verdicts.size(), claims.claims.size());
  const std::string all = read_document(source_dir() / "docs/claims.md");
  for (const Claim& c : claims.claims) EXPECT_THAT(all, HasSubstr("| " + c.id + " | "));
}

TEST(ClaimDocuments, WhatHasNoExperimentHasNoNumber) {
  const ClaimsFile claims = load_claims();
  const auto verdicts = recorded_verdicts(claims);
  for (std::size_t i = 0; i < verdicts.size(); ++i)
    if (!claims.claims[i].judged()) {
      EXPECT_FALSE(verdicts[i].measured || verdicts[i].simulated) << verdicts[i].id;
      EXPECT_FALSE(verdicts[i].why.empty()) << verdicts[i].id;
    }
}

TEST(ClaimDocuments, RecordedVerdictsOnAClaimThatIsGoneAreRefused) {
  ClaimsFile claims = load_claims();
  claims.claims.erase(claims.claims.begin());
  EXPECT_THROW(recorded_verdicts(claims), InputError);
}

TEST(ClaimDocuments, ADocumentWithoutSectionsIsRefused) {
  const ClaimsFile claims = load_claims();
  try {
    with_claim_sections("# text\n", claims, {}, "x.md");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("x.md: has no section"));
  }
  EXPECT_THROW(read_document("no/such/file.md"), InputError);
}

TEST(ClaimDocuments, TableLinesFitATerminal) {
  const ClaimsFile claims = load_claims();
  std::istringstream lines(claims_table(claims, recorded_verdicts(claims)));
  for (std::string line; std::getline(lines, line) && !line.starts_with("  C1  ");)
    EXPECT_LE(line.size(), 110U) << line;
}

}  // namespace
}  // namespace missive::harness
