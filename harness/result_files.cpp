#include "harness/result_files.h"

#include <charconv>
#include <map>

namespace missive::harness {
namespace {

std::string dump(const Json& json, int indent) {
  // Text that came from outside (a command's message) need not be UTF-8.
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json metadata(const char* what, int pid, int tid, const std::string& name) {
  return Json{
      {"ph", "M"}, {"name", what}, {"pid", pid}, {"tid", tid}, {"args", Json{{"name", name}}}};
}

void add_process(Json& events, int pid, const char* process, const Result& result,
                 std::vector<Record> PointResult::*records) {
  events.push_back(metadata("process_name", pid, 0, process));
  int tid = 0;
  for (const PointResult& point : result.points) {
    std::map<Place, int> threads;
    for (const Record& record : point.*records) {
      const auto [thread, is_new] = threads.try_emplace(record.place, tid + 1);
      if (is_new)
        events.push_back(
            metadata("thread_name", pid, ++tid, point.label + " / " + to_string(record.place)));
      events.push_back(Json{{"ph", "X"},
                            {"name", record.step},
                            {"cat", to_string(record.phase)},
                            {"pid", pid},
                            {"tid", thread->second},
                            {"ts", to_seconds(record.start) * 1e6},
                            {"dur", to_seconds(record.end - record.start) * 1e6},
                            {"args", Json{{"point", point.id}}}});
    }
  }
}

}  // namespace

std::string csv_field(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string text = "\"";
  for (const char c : field) {
    if (c == '"') text += '"';
    text += c;
  }
  return text += '"';
}

std::string round_trip(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return error == std::errc{} ? std::string(text, end) : std::string("nan");
}

std::string observations_csv(const Result& result) {
  std::string csv(kObservationsHeader);
  csv += '\n';
  for (const ObservationRow& row : result.observations) {
    for (const std::string* field :
         {&result.name, &row.point, &row.backend, &row.phase, &row.metric, &row.unit}) {
      csv += csv_field(*field);
      csv += ',';
    }
    csv += std::to_string(row.repetition);
    csv += ',';
    csv += round_trip(row.value);
    csv += '\n';
  }
  return csv;
}

std::string trace_json(const Result& result) {
  Json events = Json::array();
  add_process(events, 1, "simulated", result, &PointResult::simulated_records);
  add_process(events, 2, "measured", result, &PointResult::measured_records);
  return dump(Json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}}, -1);
}

void write_files(const Result& result, const OutputDir& out) {
  out.write("observations.csv", observations_csv(result));
  out.write("trace.json", trace_json(result));
  // Last: whoever waits for result.json finds the others complete.
  out.write("result.json", dump(to_json(result), 2));
}

}  // namespace missive::harness
