// docs/adding-a-mechanism.md, as a program: the mechanism that the document builds, and what a test
// asks of it. The document quotes the parts between the BEGIN and END lines; the last test holds it
// to that.

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// BEGIN mechanism
// The service as a plain call behind a copy: the caller's request is copied before the service sees
// it, and the reply after, so that neither side can change what the other has checked. No wall.

#include <algorithm>

#include "real/domains/mechanism_list.h"
#include "real/domains/message.h"

namespace missive::domains {

namespace {

class CopyDomain final : public Domain {
 public:
  explicit CopyDomain(const DomainOptions& options)
      : limit_(options.max_message), request_(limit_), reply_(limit_) {}

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    check_message("copy", request.size(), reply.size(), limit_);
    std::copy(request.begin(), request.end(), request_.begin());
    const std::int64_t answer = native_service(
        static_cast<std::int32_t>(entry), as_bytes(std::span<const std::byte>(request_)),
        request.size(), as_bytes(std::span(reply_)), reply.size());
    const std::size_t length = checked_answer("copy", answer, reply.size());
    std::copy_n(reply_.begin(), length, reply.begin());
    return length;
  }

 private:
  std::size_t limit_;
  std::vector<std::byte> request_, reply_;
};

}  // namespace

Mechanism copy_mechanism() {
  Mechanism m;
  m.name = "copy";
  m.what = "a plain function call with copied messages; nothing saved but what C saves, no wall";
  m.same_process = true;
  m.unavailable = [] { return std::string(); };
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    return std::make_unique<CopyDomain>(options);
  };
  return m;
}

}  // namespace missive::domains
// END mechanism

#include "real/domains/attack_matrix.h"

namespace missive::domains {
namespace {

// BEGIN test
TEST(CopyMechanism, AnswersAsAPlainCallDoes) {
  const auto domain = copy_mechanism().create({});
  const std::vector<std::byte> request(100, std::byte{1});
  std::array<std::byte, 8> reply{};
  EXPECT_EQ(domain->call(Entry::sum, request, reply), 8U);
  EXPECT_EQ(reply[0], std::byte{100});
}

TEST(CopyMechanism, ContainsACorruptedArgumentAndNoWildWrite) {
  AttackOptions options;
  options.only = {Attack::wild_write, Attack::corrupt_argument};
  const AttackMatrix matrix = attack_matrix(copy_mechanism(), options);
  EXPECT_EQ(matrix.outcomes[0].verdict, Verdict::not_contained);
  EXPECT_EQ(matrix.outcomes[1].verdict, Verdict::contained);
  EXPECT_TRUE(claims_hold(copy_mechanism().claims, matrix)) << "it claims nothing";
}
// END test

namespace fs = std::filesystem;

std::string read(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Blocks of source in the document, and here, by the name of their part.
std::map<std::string, std::string> parts_of_this_file() {
  std::map<std::string, std::string> parts;
  std::istringstream in(read("real/domains/example_mechanism_test.cpp"));
  std::string current;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("// BEGIN ")) {
      current = line.substr(9);
    } else if (line.starts_with("// END ")) {
      current.clear();
    } else if (!current.empty()) {
      parts[current] += line + "\n";
    }
  }
  return parts;
}

TEST(AddingAMechanism, TheDocumentQuotesThisFile) {
  // Tests run in the source directory.
  const std::string document = read("docs/adding-a-mechanism.md");
  ASSERT_FALSE(document.empty());
  const auto parts = parts_of_this_file();
  ASSERT_EQ(parts.size(), 2U);
  for (const auto& [name, source] : parts) {
    EXPECT_THAT(document, testing::HasSubstr("```cpp\n" + source + "```\n"))
        << "docs/adding-a-mechanism.md and the part '" << name
        << "' of real/domains/example_mechanism_test.cpp disagree; copy the source over";
  }
}

TEST(AddingAMechanism, TheFilesThatTheDocumentNamesAreThere) {
  const std::string document = read("docs/adding-a-mechanism.md");
  int named = 0;
  for (std::size_t at = 0; (at = document.find("`real/", at)) != std::string::npos; ++at) {
    const std::string path = document.substr(at + 1, document.find('`', at + 1) - at - 1);
    if (path.find('<') != std::string::npos) continue;  // yours to choose
    ++named;
    EXPECT_TRUE(fs::exists(path)) << path;
  }
  EXPECT_GE(named, 5);
}

}  // namespace
}  // namespace missive::domains
