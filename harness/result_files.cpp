#include "harness/result_files.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "harness/report/report.h"

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

Json sort_index(const char* what, int pid, int tid, int index) {
  return Json{{"ph", "M"},
              {"name", what},
              {"pid", pid},
              {"tid", tid},
              {"args", Json{{"sort_index", index}}}};
}

// Complete events of one track must nest. A record goes to the first lane where it lies within, or
// behind, all that is there.
class Lanes {
 public:
  // Records come by start, the longer first.
  std::size_t lane_of(const Record& record) {
    for (std::size_t lane = 0; lane < open_.size(); ++lane) {
      auto& ends = open_[lane];
      while (!ends.empty() && ends.back() <= record.start) ends.pop_back();
      if (!ends.empty() && ends.back() < record.end) continue;
      ends.push_back(record.end);
      return lane;
    }
    open_.push_back({record.end});
    return open_.size() - 1;
  }

 private:
  std::vector<std::vector<Picos>> open_;  // ends of what has not ended yet, innermost last
};

class TraceWriter {
 public:
  void add_process(int pid, const char* process, const Result& result,
                   std::vector<Record> PointResult::*records) {
    events_.push_back(metadata("process_name", pid, 0, process));
    events_.push_back(sort_index("process_sort_index", pid, 0, pid));
    int tid = 0;
    for (const PointResult& point : result.points) {
      if (events_.size() + (point.*records).size() > kMostTraceEvents) {
        ++left_out_;
        continue;
      }
      add_point(pid, tid, point, point.*records);
    }
  }

  std::string text() {
    Json trace{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events_)}};
    if (left_out_ > 0)
      trace["otherData"] = Json{{"launches left out of this trace for its size", left_out_}};
    return dump(trace, -1);
  }

 private:
  void add_point(int pid, int& tid, const PointResult& point, std::vector<Record> records) {
    std::stable_sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
      return a.start != b.start ? a.start < b.start : a.end > b.end;
    });
    std::map<Place, Lanes> lanes;
    std::map<std::pair<Place, std::size_t>, int> threads;
    for (const Record& record : records) {
      const std::size_t lane = lanes[record.place].lane_of(record);
      const auto [thread, is_new] = threads.try_emplace({record.place, lane}, tid + 1);
      if (is_new) {
        ++tid;
        std::string name = point.label + " / " + to_string(record.place);
        if (lane > 0) name += " " + std::to_string(lane + 1);
        events_.push_back(metadata("thread_name", pid, tid, name));
        events_.push_back(sort_index("thread_sort_index", pid, tid, tid));
      }
      events_.push_back(Json{{"ph", "X"},
                             {"name", record.step},
                             {"cat", to_string(record.phase)},
                             {"pid", pid},
                             {"tid", thread->second},
                             {"ts", to_seconds(record.start) * 1e6},
                             {"dur", to_seconds(record.end - record.start) * 1e6},
                             {"args", Json{{"point", point.id}}}});
    }
  }

  Json events_ = Json::array();
  std::size_t left_out_ = 0;
};

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
  TraceWriter trace;
  trace.add_process(1, "simulated", result, &PointResult::simulated_records);
  trace.add_process(2, "measured", result, &PointResult::measured_records);
  return trace.text();
}

void write_files(const Result& result, const OutputDir& out) {
  out.write("observations.csv", observations_csv(result));
  out.write("trace.json", trace_json(result));
  out.write("report.html", report_html(result));
  // Last: whoever waits for result.json finds the others complete.
  out.write("result.json", dump(to_json(result), 2));
}

}  // namespace missive::harness
