// `missive-sim domains` from outside.

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/cli.h"
#include "real/domains/domain.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Outcome {
  int status = 0;
  std::string out, err;
};

Outcome domains_verb(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"missive-sim", "domains"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  const int status = cli_main(static_cast<int>(argv.size()), argv.data(), out, err);
  return {status, out.str(), err.str()};
}

TEST(DomainsList, TellsEveryMechanismAndWhatItClaims) {
  const auto all = nlohmann::json::parse(domains_verb({"list", "--format", "json"}).out);
  ASSERT_EQ(all.size(), domains::mechanisms().size());
  for (const auto& each : all)
    EXPECT_EQ(each.at("claims").at("memory"),
              domains::mechanism(each.at("name").get<std::string>()).claims.memory);
}

TEST(DomainsRun, ChecksTheReplyOfEveryMechanismThatStaysInThisProcess) {
  for (const domains::Mechanism& m : domains::mechanisms()) {
    if (!m.same_process || !m.unavailable().empty()) continue;
    const Outcome o = domains_verb({"run", m.name, "--calls", "10"});
    EXPECT_EQ(o.status, 0) << m.name << o.err;
    EXPECT_THAT(o.out, HasSubstr(m.name + ": hash of 4.00 KiB -> 32 bytes"));
  }
}

class DomainsExec : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = domains::mechanism("pie-dynamic").unavailable(); !why.empty())
      GTEST_SKIP() << why;
  }
};

TEST_F(DomainsExec, PrintsWhatTheProgramDoes) {
  const Outcome o = domains_verb({"exec", "/bin/dash", "-c", "echo out; echo err >&2"});
  EXPECT_EQ(o.status, 0);
  EXPECT_EQ(o.out, "out\n");
  EXPECT_EQ(o.err, "err\n");
}

TEST_F(DomainsExec, AFailureOfTheProgramIsAFailedRun) {
  const Outcome o = domains_verb({"exec", "/bin/dash", "-c", "echo out; exit 3"});
  EXPECT_EQ(o.status, 1);
  EXPECT_EQ(o.out, "out\n");
  EXPECT_THAT(o.err, HasSubstr("/bin/dash: exit status 3"));
}

TEST_F(DomainsExec, WhatIsNoProgramIsBadInput) {
  const Outcome o = domains_verb({"exec", "/etc/passwd"});
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.out, IsEmpty());
  EXPECT_THAT(o.err, HasSubstr("/etc/passwd: not an ELF file"));
}

}  // namespace
}  // namespace missive::harness
