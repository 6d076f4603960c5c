#include "real/launch/outcome_json.h"

#include <nlohmann/json.hpp>

#include "models/error.h"

namespace missive::launch {

namespace {

using Json = nlohmann::json;

Json encode(const Record& r) {
  Json amounts = Json::array();
  for (std::size_t i = 0; i < kAmounts; ++i) amounts.push_back(r.amounts[static_cast<Amount>(i)]);
  return {{"step", r.step},
          {"phase", static_cast<int>(r.phase)},
          {"place", static_cast<int>(r.place)},
          {"start", r.start.count()},
          {"end", r.end.count()},
          {"amounts", amounts}};
}

Record decode_record(const Json& j) {
  Record r;
  r.step = j.at("step");
  r.phase = static_cast<Phase>(j.at("phase").get<int>());
  r.place = static_cast<Place>(j.at("place").get<int>());
  r.start = Picos(j.at("start").get<std::int64_t>());
  r.end = Picos(j.at("end").get<std::int64_t>());
  for (std::size_t i = 0; i < kAmounts; ++i)
    r.amounts[static_cast<Amount>(i)] = j.at("amounts").at(i).get<std::uint64_t>();
  return r;
}

}  // namespace

std::string encode(const LaunchOutcome& outcome) {
  Json records = Json::array();
  for (const auto& r : outcome.records) records.push_back(encode(r));
  const Served& s = outcome.served;
  return Json{{"records", records},
              {"detours", outcome.detours},
              {"served", {s.lookups, s.reads, s.bytes_read, s.others}}}
      .dump();
}

LaunchOutcome decode_outcome(const std::string& text) {
  try {
    const Json j = Json::parse(text);
    LaunchOutcome outcome;
    for (const auto& r : j.at("records")) outcome.records.push_back(decode_record(r));
    outcome.detours = j.at("detours").get<std::vector<std::string>>();
    const auto& s = j.at("served");
    outcome.served = {s.at(0), s.at(1), s.at(2), s.at(3)};
    return outcome;
  } catch (const Json::exception& e) {
    throw RunError(std::string("a launch's outcome cannot be read: ") + e.what());
  }
}

}  // namespace missive::launch
