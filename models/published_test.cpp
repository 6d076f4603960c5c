// The catalogue of published values: what it accepts, how it is looked up, and that the one that
// ships is sound.

#include "models/published.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/error.h"

namespace missive {
namespace {

using ::testing::HasSubstr;

nlohmann::json entry(const std::string& mechanism, const std::string& quantity, double value,
                     const std::string& unit) {
  return {{"mechanism", mechanism}, {"quantity", quantity}, {"value", value},
          {"unit", unit},           {"source", "a paper"},  {"year", 2020},
          {"url", "https://a.b/c"}, {"how", "read"}};
}

nlohmann::json document(nlohmann::json values) {
  return {{"format", "missive-sim/published/1"}, {"values", std::move(values)}};
}

PublishedCatalogue shipped() {
  std::ifstream in("experiments/parameters/published.json");  // tests run in the source tree
  return PublishedCatalogue::from_json(nlohmann::json::parse(in), "published.json");
}

std::string refusal(const nlohmann::json& json) {
  try {
    PublishedCatalogue::from_json(json, "f");
  } catch (const InputError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Published, AValueIsFoundByMechanismAndQuantity) {
  const auto c = PublishedCatalogue::from_json(document({entry("A", "switch", 5, "ns")}), "f");
  EXPECT_EQ(c.at("A", "switch").value, 5);
  EXPECT_EQ(c.at("A", "switch").text(), "5 ns");
}

TEST(Published, WhatIsNotThereIsSaidWithTheNearest) {
  const auto c = PublishedCatalogue::from_json(
      document({entry("LFI", "yield", 5, "ns"), entry("Wasmtime", "call", 30, "ns")}), "f");
  try {
    c.at("Wasmtme", "call");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("did you mean 'Wasmtime'?"));
  }
  try {
    c.at("LFI", "call");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("known: yield"));
  }
}

TEST(Published, EveryBadEntryIsNamed) {
  auto no_number = entry("A", "q", 1, "ns");
  no_number.erase("value");
  auto no_source = entry("B", "q", 1, "ns");
  no_source["source"] = "";
  auto typo = entry("C", "q", 1, "ns");
  typo["valu"] = 2;
  const std::string text = refusal(document({no_number, no_source, typo}));
  EXPECT_THAT(text, HasSubstr("/values/0: has no number"));
  EXPECT_THAT(text, HasSubstr("/values/1: 'source' is missing"));
  EXPECT_THAT(text, HasSubstr("/values/2: unknown key 'valu'; did you mean 'value'?"));
}

TEST(Published, TheSameQuantityTwiceIsRefused) {
  EXPECT_THAT(refusal(document({entry("A", "q", 1, "ns"), entry("A", "q", 2, "ns")})),
              HasSubstr("is there twice"));
}

TEST(Published, AnotherFormatIsRefused) {
  EXPECT_THAT(refusal({{"format", "x"}}), HasSubstr("missive-sim/published/1"));
  EXPECT_THAT(refusal(nlohmann::json::array()), HasSubstr("is no catalogue"));
}

TEST(Published, AReferenceToNothingIsRefused) {
  auto json = document({entry("A", "q", 1, "ns")});
  json["seed"] = nlohmann::json::parse(R"({"SFI": {"switch": [["A", "r"]]}})");
  EXPECT_THAT(refusal(json), HasSubstr("/seed/SFI/switch: no 'r' is known of 'A'"));
  json["seed"] = nlohmann::json::parse(R"({"SFI": {"switch": [["A"]]}})");
  EXPECT_THAT(refusal(json), HasSubstr("a reference is"));
}

TEST(Published, BoundsAndRangesReadAsSuch) {
  PublishedValue v;
  v.unit = "ns";
  v.high = 10;
  EXPECT_EQ(v.text(), "< 10 ns");
  v.value = 10;
  EXPECT_EQ(v.text(), "< 10 ns");
  v.low = 2;
  EXPECT_EQ(v.text(), "2 to 10 ns");
}

TEST(Published, ARangeSpansUnitsOfTimeAndKeepsCyclesApart) {
  auto json = document(
      {entry("A", "a", 773, "ns"), entry("A", "b", 50, "us"), entry("A", "c", 124, "cycles")});
  const auto c = PublishedCatalogue::from_json(json, "f");
  EXPECT_EQ(published_range({&c.at("A", "a"), &c.at("A", "b"), &c.at("A", "c")}),
            "773 ns to 50 us, 124 cycles");
  EXPECT_EQ(published_range({}), "-");
}

TEST(Published, CyclesAreNoTimeWithoutAClock) {
  EXPECT_FALSE(si_factor("cycles").has_value());
  EXPECT_DOUBLE_EQ(*si_factor("us"), 1e-6);
  EXPECT_DOUBLE_EQ(*si_factor("MiB"), 1048576);
}

TEST(Published, SearchIgnoresLetterCase) {
  const auto c = shipped();
  EXPECT_EQ(c.matching("uSWITCH").size(), c.matching("uswitch").size());
  EXPECT_FALSE(c.matching("uswitch").empty());
  EXPECT_TRUE(c.matching("no such thing").empty());
}

TEST(Published, TheShippedCatalogueHasTheSeedsTableAndItsSources) {
  const auto c = shipped();
  EXPECT_GE(c.all().size(), 400U);
  for (const PublishedValue& v : c.all()) EXPECT_THAT(v.url, HasSubstr("://")) << v.mechanism;
  EXPECT_EQ(published_range(c.seed("SFI", "execution")), "20 to 40 %");
  EXPECT_EQ(published_range(c.seed("MicroVM", "switch")), "> 1000 ns");
  EXPECT_EQ(published_range(c.seed("multiPIE", "creation")), "< 10 ms");
}

// 5 ms is what a JavaScript isolate takes; a Wasm instance takes a thousandth of it.
TEST(Published, BothReadingsOfTheSeedsFiveMillisecondsAreThere) {
  const auto c = shipped();
  const auto seconds = [&](const char* preset) {
    const PublishedValue& v = *c.preset(preset).cells.at("creation").front();
    return *v.value * *si_factor(v.unit);
  };
  EXPECT_DOUBLE_EQ(seconds("seed-sfi-isolate"), 5e-3);
  EXPECT_DOUBLE_EQ(seconds("seed-sfi-instance"), 5e-6);
  EXPECT_THROW(c.preset("seed-sfi"), InputError);
}

}  // namespace
}  // namespace missive
