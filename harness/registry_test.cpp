// The enums of the experiment schema are the registries of real/: neither may know a name the other
// does not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/schema.h"
#include "harness/test_support.h"
#include "models/delivery.h"
#include "models/launch.h"
#include "real/launch/application.h"
#include "real/launch/delivery.h"
#include "real/launch/reader.h"
#include "real/verify/algorithm.h"
#include "real/verify/verification_mode.h"
#include "real/verify/verifier.h"

namespace missive::harness {
namespace {

std::vector<std::string> schema_enum(const std::string& pointer) {
  use_source_data();
  const Json* sub = experiment_schema("launch").find(pointer);
  return sub == nullptr ? std::vector<std::string>{}
                        : (*sub)["enum"].get<std::vector<std::string>>();
}

template <class Registry>
std::vector<std::string> names(const Registry& registry) {
  std::vector<std::string> all;
  for (const auto& entry : registry) all.push_back(entry.name);
  return all;
}

TEST(Registry, TheSchemaKnowsExactlyTheRegisteredNames) {
  using ::testing::UnorderedElementsAreArray;
  EXPECT_THAT(schema_enum("/verifier"), UnorderedElementsAreArray(names(verify::verifiers())));
  EXPECT_THAT(schema_enum("/verification"),
              UnorderedElementsAreArray(names(verify::verification_modes())));
  EXPECT_THAT(schema_enum("/delivery"), UnorderedElementsAreArray(names(launch::deliveries())));
  std::vector<std::string> applications = names(launch::applications());
  applications.emplace_back(launch::kReader);
  EXPECT_THAT(schema_enum("/application"), UnorderedElementsAreArray(applications));
  EXPECT_THAT(schema_enum("/warm_with"), UnorderedElementsAreArray(applications));
}

TEST(Registry, TheSchemaKnowsExactlyTheVerificationAlgorithms) {
  use_source_data();
  const Json* items = experiment_schema("verification").find("/algorithms/0");
  ASSERT_NE(items, nullptr);
  EXPECT_THAT((*items)["enum"].get<std::vector<std::string>>(),
              ::testing::UnorderedElementsAreArray(names(verify::algorithms())));
}

TEST(Registry, TheModelKnowsEveryDeliveryAndWhichCanBeLazy) {
  ASSERT_THAT(names(delivery_models()),
              ::testing::UnorderedElementsAreArray(names(launch::deliveries())));
  for (const launch::DeliveryInfo& info : launch::deliveries())
    EXPECT_EQ(delivery_model(info.name).can_be_lazy(), info.lazy) << info.name;
}

TEST(Registry, TheModelKnowsEveryTemperatureAndHandOver) {
  for (const std::string& name : schema_enum("/temperature"))
    EXPECT_EQ(to_string(parse_temperature(name)), name);
  for (const std::string& name : schema_enum("/handover"))
    EXPECT_EQ(to_string(parse_hand_over(name)), name);
}

}  // namespace
}  // namespace missive::harness
