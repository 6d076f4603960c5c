#include "models/cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "models/error.h"

namespace missive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CostModel hash() {
  CostModel model;
  model.name = "hash";
  model.what = "hash of some bytes; an item is a block";
  model.per_call = model.per_byte = model.per_item = true;
  model.source = "a test";
  return model;
}

ParameterSet parameters(double call, double byte, double item) {
  ParameterSet set;
  const auto add = [&](const std::string& name, double value) {
    Parameter p;
    p.value = value;
    p.source = "a test";
    set.set(name, p);
  };
  add("hash.call_s", call);
  add("hash.byte_s", byte);
  add("hash.item_s", item);
  return set;
}

TEST(Cost, IsCallsPlusBytesPlusItems) {
  const Demand demand{"hash", 2, Bytes{1000}, 3};
  // 2 * 1 us + 1000 * 2 ns + 3 * 10 us
  EXPECT_EQ(cost(hash(), demand, parameters(1e-6, 2e-9, 1e-5)), from_seconds(34e-6));
}

TEST(Cost, NamesTheParametersItRead) {
  std::set<std::string> used;
  CostModel model = hash();
  model.per_item = false;
  cost(model, Demand{"hash", 1, Bytes{1}, 0}, parameters(1, 1, 1), &used);
  EXPECT_THAT(used, ElementsAre("hash.byte_s", "hash.call_s"));
  EXPECT_THAT(parameter_names(hash()), ElementsAre("hash.call_s", "hash.byte_s", "hash.item_s"));
}

TEST(Cost, CountWithoutATermIsADefect) {
  CostModel model = hash();
  model.per_item = false;
  EXPECT_THROW(cost(model, Demand{"hash", 1, Bytes{1}, 1}, parameters(1, 1, 1)), std::logic_error);
}

TEST(Cost, MissingParameterSaysWhichCalibrationWritesIt) {
  try {
    cost(hash(), Demand{"hash", 1, Bytes{1}, 1}, ParameterSet{});
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("'hash.call_s' is missing; the micro-measurement 'hash'"));
  }
}

TEST(Cost, NegativeAndEndlessCostsAreBadInput) {
  const Demand demand{"hash", 1, Bytes{1}, 1};
  EXPECT_THROW(cost(hash(), demand, parameters(-1e-6, 1, 1)), InputError);
  EXPECT_THROW(cost(hash(), demand, parameters(1e300, 1, 1)), InputError);
}

TEST(Cost, AnEquationReplacesTheAffineForm) {
  CostModel model = hash();
  model.equation = [](const Demand& d, const Terms& terms) {
    return std::max<double>(0, static_cast<double>(d.bytes.count) - 100) * terms("above_s");
  };
  ParameterSet set = parameters(1, 1, 1);
  Parameter above;
  above.value = 1e-9;
  above.source = "a test";
  set.set("hash.above_s", above);
  std::set<std::string> used;
  EXPECT_EQ(cost(model, Demand{"hash", 0, Bytes{150}, 0}, set, &used), from_seconds(50e-9));
  EXPECT_THAT(used, ElementsAre("hash.above_s"));
}

TEST(Cost, CpuTimeIsItsItemsInPicoseconds) {
  EXPECT_EQ(cost(Demand{"cpu_time", 0, Bytes{}, 12'345'678'901'234}, ParameterSet{}).count(),
            12'345'678'901'234);
  EXPECT_TRUE(parameter_names(cost_model("cpu_time")).empty());
}

TEST(Cost, AFunctionGivesWhatCostGives) {
  ParameterSet set;
  for (const CostModel& model : cost_models())
    for (const std::string& name : parameter_names(model)) {
      Parameter p;
      p.value = 1e-9 * static_cast<double>(1 + set.all().size());
      p.source = "a test";
      set.set(name, p);
    }
  for (const CostModel& model : cost_models()) {
    if (model.equation && model.name != "cpu_time") continue;  // its parameters are its own
    const Demand demand{model.name, model.per_call ? 3U : 0U, Bytes{model.per_byte ? 12345U : 0U},
                        model.per_item ? 678U : 0U};
    EXPECT_EQ(CostFunction(model, set)(demand), cost(demand, set)) << model.name;
  }
  const CostModel model = hash();
  EXPECT_THROW(CostFunction(model, ParameterSet{}), InputError);
}

TEST(Cost, RegistryKnowsEachModelByName) {
  for (const CostModel& model : cost_models()) {
    EXPECT_EQ(&cost_model(model.name), &model);
    EXPECT_FALSE(model.what.empty()) << model.name;
    EXPECT_FALSE(model.source.empty()) << model.name;
    EXPECT_TRUE(model.equation || !parameter_names(model).empty()) << model.name;
  }
  EXPECT_THROW(cost_model("no such cost"), std::out_of_range);
}

}  // namespace
}  // namespace missive
