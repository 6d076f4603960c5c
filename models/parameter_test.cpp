#include "models/parameter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/error.h"

namespace missive {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Parameter parameter(double value) {
  Parameter p;
  p.value = value;
  p.unit = std::string("s");
  p.source = "assumed in a test";
  return p;
}

json document() {
  return json::parse(R"({
    "format": "missive-sim/parameters/1",
    "host": {"cpu": "any", "free": [1, 2]},
    "parameters": {
      "sha256_tree.byte_s": {"value": 5e-10, "unit": "s/byte", "provenance": "measured",
                             "source": "sha256_tree", "ci95": [4.9e-10, 5.2e-10], "date": "2026-01-31"},
      "machine.cores": {"value": 2, "unit": "cores", "provenance": "assumed", "source": "a guess"}
    }})");
}

std::string message(const json& bad) {
  try {
    ParameterSet::from_json(bad, "host.json");
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Parameter, MissingNameSuggestsTheNearest) {
  ParameterSet set;
  set.set("sha256_tree.byte_s", parameter(1));
  try {
    set.at("sha256_tree.bytes");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("'sha256_tree.bytes' is missing"));
    EXPECT_THAT(e.what(), HasSubstr("did you mean 'sha256_tree.byte_s'?"));
    EXPECT_EQ(e.status(), ExitStatus::bad_input);
  }
}

TEST(Parameter, SetRefusesWhatIsNotFiniteOrHasNoSource) {
  ParameterSet set;
  Parameter no_source = parameter(1), no_interval = parameter(1), upside_down = parameter(1);
  no_source.source.clear();
  no_interval.high = std::numeric_limits<double>::infinity();
  upside_down.low = 2;
  upside_down.high = 1;
  EXPECT_THROW(set.set("a", parameter(NAN)), InputError);
  EXPECT_THROW(set.set("a", no_source), InputError);
  EXPECT_THROW(set.set("a", no_interval), InputError);
  EXPECT_THROW(set.set("a", upside_down), InputError);
  EXPECT_THROW(set.set("", parameter(1)), InputError);
  EXPECT_FALSE(set.contains("a"));
}

TEST(Parameter, UnknownIntervalIsTheValueItself) {
  ParameterSet set;
  set.set("a", parameter(3));
  EXPECT_EQ(set.at("a").low, 3);
  EXPECT_EQ(set.at("a").high, 3);
}

TEST(Parameter, MergeLetsTheOtherWin) {
  ParameterSet set, other;
  set.set("a", parameter(1));
  set.set("b", parameter(2));
  other.set("b", parameter(3));
  set.merge(other);
  EXPECT_EQ(set.value("a"), 1);
  EXPECT_EQ(set.value("b"), 3);
}

TEST(Parameter, JsonRoundTrip) {
  const ParameterSet set = ParameterSet::from_json(document(), "host.json");
  EXPECT_EQ(set.all().size(), 2u);
  EXPECT_EQ(set.at("sha256_tree.byte_s").provenance, Provenance::measured);
  EXPECT_EQ(set.at("sha256_tree.byte_s").date, "2026-01-31");
  EXPECT_EQ(set.at("sha256_tree.byte_s").high, 5.2e-10);
  EXPECT_EQ(set.at("machine.cores").low, 2);
  const ParameterSet again = ParameterSet::from_json(set.to_json(), "again");
  EXPECT_EQ(again.to_json(), set.to_json());
}

TEST(Parameter, AllBadEntriesAreReportedAtOnce) {
  json bad = document();
  bad["parameters"]["a"] = {{"value", "fast"}, {"unit", "s"}, {"provenance", "guessed"}};
  bad["parameters"]["b"] = 7;
  bad["parameters"]["c"] = {
      {"value", 1}, {"unit", "s"}, {"provenance", "assumed"}, {"source", "x"}, {"ci95", {2, 1}}};
  bad["parametres"] = json::object();
  const std::string text = message(bad);
  EXPECT_THAT(text, HasSubstr("host.json: /parameters/a: 'value' is not a number"));
  EXPECT_THAT(text, HasSubstr("host.json: /parameters/a: 'source' is missing"));
  EXPECT_THAT(text, HasSubstr("'provenance' is not one of measured, published, assumed"));
  EXPECT_THAT(text, HasSubstr("host.json: /parameters/b: is not an object"));
  EXPECT_THAT(text, HasSubstr("host.json: /parameters/c: the interval's lower end"));
  EXPECT_THAT(text, HasSubstr("unknown key 'parametres'; did you mean 'parameters'?"));
}

TEST(Parameter, RefusesWrongDocuments) {
  EXPECT_THAT(message(json::array()), HasSubstr("not a JSON object"));
  EXPECT_THAT(message(json::object()), HasSubstr("'format' is not"));
  json other = document();
  other["format"] = "missive-sim/parameters/2";
  EXPECT_THAT(message(other), HasSubstr("'format' is not"));
}

TEST(Parameter, RefusesUnknownKeysAndValuesThatAreNotFinite) {
  json typo = document();
  typo["parameters"]["machine.cores"]["sorce"] = "x";
  EXPECT_THAT(message(typo), HasSubstr("unknown key 'sorce'; did you mean 'source'?"));
  json infinite = document();
  infinite["parameters"]["machine.cores"]["value"] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(message(infinite), HasSubstr("the value is not a finite number"));
  json empty = document();
  empty["parameters"]["machine.cores"]["source"] = "";
  EXPECT_THAT(message(empty), HasSubstr("'source' is not a text with something in it"));
}

}  // namespace
}  // namespace missive
