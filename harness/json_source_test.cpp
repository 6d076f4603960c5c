#include "harness/json_source.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

std::string problem(const std::string& text, bool comments = false) {
  try {
    JsonSource::parse(text, "f.json", comments);
  } catch (const InputErrors& e) {
    return e.what();
  }
  return "no error";
}

TEST(JsonSource, RemembersWhereEachKeyAndValueStands) {
  const auto source = JsonSource::parse("{\n  \"a\": [1, {\"b\": \"x\"}],\n  \"c\": true\n}", "f");
  EXPECT_EQ(source.document()["a"][1]["b"], "x");
  EXPECT_EQ(source.key_at("/a").line, 2U);
  EXPECT_EQ(source.key_at("/a").column, 3U);
  EXPECT_EQ(source.value_at("/a/0").column, 9U);
  EXPECT_EQ(source.value_at("/a/1/b").column, 18U);
  EXPECT_EQ(source.value_at("/c").line, 3U);
  EXPECT_EQ(source.value_at("/c").column, 8U);
}

TEST(JsonSource, CountsColumnsInCharactersNotBytes) {
  const auto source = JsonSource::parse("{\"\u00e4\u00f6\": 1}", "f");
  EXPECT_EQ(source.value_at("/\u00e4\u00f6").column, 8U);
}

TEST(JsonSource, QuotesAndBracketsInsideStringsDoNotShiftPositions) {
  const auto source = JsonSource::parse(R"({"a": "x\"}],{", "b/c": [[], {}, 2]})", "f");
  EXPECT_EQ(source.value_at("/b~1c/2").column, 34U);
}

TEST(JsonSource, AnEmptyFileIsNamedAsSuch) {
  EXPECT_EQ(problem(""), "f.json:1:1: the file is empty; it must hold one JSON object");
  EXPECT_THAT(problem(" \n "), HasSubstr("is empty"));
}

TEST(JsonSource, ATruncatedFileSaysWhereItEnds) {
  EXPECT_THAT(problem("{\n \"a\": [1, 2"), HasSubstr("truncated"));
  EXPECT_THAT(problem("{\n \"a\": [1, 2"), HasSubstr("f.json:2:"));
  EXPECT_THAT(problem("{\"a\": \"x"), HasSubstr("truncated"));
}

TEST(JsonSource, EveryDuplicateKeyIsReportedWithItsPlace) {
  const std::string text = problem("{\"a\": 1,\n \"a\": 2, \"b\": {\"c\": 1, \"c\": 2}}");
  EXPECT_THAT(text, HasSubstr("f.json:2:2: /a: duplicate key, first given in line 1"));
  EXPECT_THAT(text, HasSubstr("f.json:2:24: /b/c: duplicate key"));
}

TEST(JsonSource, NanIsRefused) {
  EXPECT_THAT(problem("{\"a\": NaN}"), HasSubstr("no NaN"));
  EXPECT_THAT(problem("{\"a\": 1e999}"), HasSubstr("f.json:1:"));
}

TEST(JsonSource, ATrailingCommaIsRefusedAtItsBracket) {
  EXPECT_THAT(problem("{\"a\": 1,\n}"), HasSubstr("f.json:2:1: unexpected '}'"));
}

TEST(JsonSource, CommentsAreForJsoncOnly) {
  EXPECT_THAT(problem("{ // note\n}"), HasSubstr("jsonc"));
  const auto source = JsonSource::parse("{ // {[\n /* \"x\": */ \"a\": 7}", "f.jsonc", true);
  EXPECT_EQ(source.value_at("/a").line, 2U);
  EXPECT_EQ(source.value_at("/a").column, 18U);
}

TEST(JsonSource, TextAfterTheDocumentIsRefused) { EXPECT_NE(problem("{} {}"), "no error"); }

TEST(JsonSource, DeepNestingIsRefusedWithoutRecursion) {
  EXPECT_THAT(problem(std::string(100000, '[')), HasSubstr("levels of nesting"));
}

TEST(JsonSource, InvalidUtf8IsRefused) {
  EXPECT_THAT(problem("{\"a\": \"\xff\xfe\"}"), HasSubstr("f.json:1:"));
}

TEST(JsonSource, AFileThatIsNotThereOrTooLargeIsOneLine) {
  const auto read = [](const std::filesystem::path& file) -> std::string {
    try {
      JsonSource::read(file);
    } catch (const InputErrors& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_THAT(read("/nonexistent/x.json"), HasSubstr("No such file"));
  EXPECT_THAT(read("/"), HasSubstr("is a directory"));
  EXPECT_THAT(read("/dev/zero"), HasSubstr("larger than"));
}

}  // namespace
}  // namespace missive::harness
