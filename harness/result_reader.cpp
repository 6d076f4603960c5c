#include "harness/result_reader.h"

#include <charconv>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "harness/result_files.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

// Walks a document and knows where it is.
class Reader {
 public:
  Reader(const Json& json, const std::string& file, std::string pointer = {})
      : json_(json), file_(file), pointer_(std::move(pointer)) {}

  const Json& json() const { return json_; }
  bool has(const char* key) const { return json_.is_object() && json_.contains(key); }

  Reader at(const char* key) const {
    if (!has(key)) fail(child(pointer_, key), "is missing");
    return {json_[key], file_, child(pointer_, key)};
  }
  // For keys that came later than the schema: null where they are not.
  Reader optional(const char* key) const {
    static const Json kNull;
    return has(key) ? at(key) : Reader(kNull, file_, child(pointer_, key));
  }

  template <typename F>
  void each(F f) const {
    if (!json_.is_array()) fail(pointer_, "is not a list");
    for (std::size_t i = 0; i < json_.size(); ++i) f(Reader(json_[i], file_, child(pointer_, i)));
  }

  std::string text() const {
    if (!json_.is_string()) fail(pointer_, "is not a text");
    return json_.get<std::string>();
  }
  std::string text_or_empty() const { return json_.is_null() ? std::string{} : text(); }
  double number() const {
    if (!json_.is_number()) fail(pointer_, "is not a number");
    return json_.get<double>();
  }
  std::uint64_t count() const {
    if (!json_.is_number_unsigned()) fail(pointer_, "is not a whole number");
    return json_.get<std::uint64_t>();
  }
  std::optional<double> number_or_null() const {
    return json_.is_null() ? std::nullopt : std::optional(number());
  }
  std::optional<bool> boolean_or_null() const {
    if (json_.is_null()) return std::nullopt;
    if (!json_.is_boolean()) fail(pointer_, "is neither true, false nor null");
    return json_.get<bool>();
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    each([&](const Reader& r) { all.push_back(r.text()); });
    return all;
  }

  [[noreturn]] void fail(const std::string& pointer, const std::string& what) const {
    throw InputError(fmt::format("{}: {}: {}; was the file edited? run the experiment again", file_,
                                 pointer.empty() ? "/" : pointer, what));
  }
  [[noreturn]] void fail(const std::string& what) const { fail(pointer_, what); }

 private:
  const Json& json_;
  const std::string& file_;
  std::string pointer_;
};

void check_schema(const Json& document, const std::string& where) {
  constexpr std::string_view kFamily = "missive-sim/result/";
  const auto schema = document.is_object() ? document.find("schema") : document.end();
  const std::string text = document.is_object() && schema != document.end() && schema->is_string()
                               ? schema->get<std::string>()
                               : std::string{};
  if (text == kResultSchema) return;
  if (!text.starts_with(kFamily))
    throw InputError(where + ": is no result of missive-sim (no \"schema\": \"" +
                     std::string(kResultSchema) + "\"); name a result.json or its folder");
  int version = 0;
  const char* const first = text.data() + kFamily.size();
  std::from_chars(first, text.data() + text.size(), version);
  throw InputError(fmt::format("{}: has the schema '{}', this program reads '{}'; {}", where, text,
                               kResultSchema,
                               version > 1 ? "it was made by a newer missive-sim: use that one"
                                           : "it is older: run the experiment again"));
}

Measured read_measured(const Reader& r) {
  Measured m;
  m.median = r.at("median").number_or_null().value_or(0);
  const Reader ci = r.at("ci95");
  if (!ci.json().is_array() || ci.json().size() != 2) ci.fail("is not a pair of numbers");
  m.low = ci.json()[0].is_number() ? ci.json()[0].get<double>() : m.median;
  m.high = ci.json()[1].is_number() ? ci.json()[1].get<double>() : m.median;
  m.n = r.at("n").count();
  m.noise_floor = r.at("noise_floor").number_or_null();
  return m;
}

// A pair of numbers, or nothing.
std::optional<std::pair<double, double>> read_interval(const Reader& r) {
  if (r.json().is_null()) return std::nullopt;
  std::vector<double> ends;
  r.each([&](const Reader& end) { ends.push_back(end.number()); });
  if (ends.size() != 2) r.fail("is not a pair of numbers");
  return std::pair(ends[0], ends[1]);
}

Metric read_metric(const Reader& r) {
  Metric m;
  m.name = r.at("name").text();
  m.phase = r.at("phase").text();
  m.unit = r.at("unit").text();
  m.simulated = r.at("simulated").number_or_null();
  if (const Reader measured = r.at("measured"); !measured.json().is_null())
    m.measured = read_measured(measured);
  m.relative_error = r.at("relative_error").number_or_null();
  m.within_tolerance = r.at("within_tolerance").boolean_or_null();
  m.provenance = r.at("provenance").text_or_empty();
  m.baseline_relative_error = r.optional("baseline_relative_error").number_or_null();
  m.note = r.optional("note").text_or_empty();
  m.simulated_interval = read_interval(r.optional("simulated_interval"));
  return m;
}

template <typename Enum, typename List>
Enum read_enum(const Reader& r, const List& all) {
  for (const Enum value : all)
    if (to_string(value) == r.json()) return value;
  r.fail("has a value that this program does not know");
}

std::vector<Record> read_timeline(const Reader& r) {
  constexpr std::array kPlaces{Place::launcher, Place::cache, Place::origin, Place::application};
  std::vector<Record> records;
  if (r.json().is_null()) return records;
  r.each([&](const Reader& step) {
    records.push_back({step.at("step").text(),
                       read_enum<Phase>(step.at("phase"), kPhases),
                       read_enum<Place>(step.at("place"), kPlaces),
                       from_seconds(step.at("start").number()),
                       from_seconds(step.at("end").number()),
                       {}});
  });
  return records;
}

PointResult read_point(const Reader& r) {
  PointResult point;
  point.id = r.at("id").text();
  point.label = r.at("label").text();
  point.parameters = r.at("parameters").json();
  r.at("metrics").each([&](const Reader& metric) { point.metrics.push_back(read_metric(metric)); });
  if (const Reader timeline = r.optional("timeline"); !timeline.json().is_null()) {
    point.simulated_records = read_timeline(timeline.at("simulated"));
    point.measured_records = read_timeline(timeline.at("measured"));
  }
  return point;
}

Summary read_summary(const Reader& r) {
  Summary s;
  s.compared = r.at("compared").count();
  s.amounts_equal = r.at("amounts_equal").boolean_or_null();
  if (r.has("amount_differences")) s.amount_differences = r.at("amount_differences").texts();
  s.median_abs_relative_error = r.at("median_abs_relative_error").number_or_null();
  s.p90_abs_relative_error = r.at("p90_abs_relative_error").number_or_null();
  s.max_abs_relative_error = r.at("max_abs_relative_error").number_or_null();
  s.baseline_median_abs_relative_error =
      r.at("baseline_median_abs_relative_error").number_or_null();
  s.total_median_abs_relative_error =
      r.optional("total_median_abs_relative_error").number_or_null();
  s.total_noise_floor = r.optional("total_noise_floor").number_or_null();
  s.within_tolerance = r.optional("within_tolerance").boolean_or_null();
  s.not_available = r.at("not_available").texts();
  if (r.has("failures")) s.failures = r.at("failures").texts();
  s.interrupted = r.optional("interrupted").boolean_or_null().value_or(false);
  return s;
}

std::string file_text(const fs::path& file) {
  std::error_code error;
  std::ifstream in(file, std::ios::binary);
  if (!in || !fs::is_regular_file(file, error))
    throw InputError(file.string() +
                     ": cannot be read; name a result.json or the folder of a run (--out)");
  return {std::istreambuf_iterator<char>(in), {}};
}

// One record of an RFC 4180 file at a time.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  bool next(std::vector<std::string>& fields) {
    fields.clear();
    if (text_.empty()) return false;
    first_line_ = line_;
    for (;;) {
      fields.push_back(field());
      if (text_.empty()) fail("ends in the middle of a line: the file is cut short");
      const char separator = text_.front();
      text_.remove_prefix(1);
      if (separator == ',') continue;
      if (separator == '\r' && text_.starts_with('\n')) text_.remove_prefix(1);
      ++line_;
      return true;
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}:{}: {}; run the experiment again", name_, first_line_, what));
  }

 private:
  std::string field() {
    std::string out;
    if (!text_.starts_with('"')) {
      const std::size_t end = std::min(text_.find_first_of(",\r\n"), text_.size());
      out = text_.substr(0, end);
      text_.remove_prefix(end);
      return out;
    }
    text_.remove_prefix(1);
    for (;;) {
      const std::size_t quote = text_.find('"');
      if (quote == std::string_view::npos) fail("has a quoted field without end");
      out += text_.substr(0, quote);
      text_.remove_prefix(quote + 1);
      if (!text_.starts_with('"')) break;
      out += '"';
      text_.remove_prefix(1);
    }
    line_ += static_cast<std::size_t>(std::count(out.begin(), out.end(), '\n'));
    if (!text_.empty() && text_.find_first_of(",\r\n") != 0) fail("has text after a quoted field");
    return out;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t line_ = 1, first_line_ = 1;
};

template <typename Number>
Number number_of(const std::string& field, const CsvReader& csv) {
  Number value{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size())
    csv.fail("'" + field + "' is not a number");
  return value;
}

}  // namespace

fs::path result_folder(const fs::path& where) {
  std::error_code error;
  return fs::is_directory(where, error) ? where : where.parent_path();
}

Result result_from_json(const Json& document, const std::string& where) {
  check_schema(document, where);
  const Reader root(document, where);
  Result result;
  const Reader experiment = root.at("experiment");
  result.name = experiment.at("name").text();
  result.sha256 = experiment.at("sha256").text();
  result.seed = experiment.at("seed").count();
  result.kind = experiment.optional("kind").text_or_empty();
  result.description = experiment.optional("description").text_or_empty();
  result.effective = experiment.optional("effective").json();
  result.context = root.at("context").json();
  root.at("points").each([&](const Reader& r) { result.points.push_back(read_point(r)); });
  result.summary = read_summary(root.at("summary"));
  result.claims = root.at("claims").json();
  if (!result.claims.is_array()) root.at("claims").fail("is not a list");
  if (const Reader used = root.optional("parameters_used"); used.json().is_object())
    result.parameters_used =
        ParameterSet::from_json(nlohmann::json{{"format", "missive-sim/parameters/1"},
                                               {"parameters", nlohmann::json(used.json())}},
                                where + ": /parameters_used");
  return result;
}

Result read_result(const fs::path& where) {
  std::error_code error;
  const fs::path file = fs::is_directory(where, error) ? where / "result.json" : where;
  const std::string text = file_text(file);
  Json document;
  try {
    document = Json::parse(text);
  } catch (const Json::parse_error& e) {
    throw InputError(
        fmt::format("{}: is not whole JSON (byte {} of {}); it is cut short or was "
                    "edited: run the experiment again",
                    file.string(), e.byte, text.size()));
  }
  return result_from_json(document, file.string());
}

void parse_observations(std::string_view csv, const std::string& name, Result& result) {
  CsvReader reader(csv, name);
  std::vector<std::string> fields;
  const auto header = [&] {
    std::string joined;
    for (const std::string& field : fields) joined += (joined.empty() ? "" : ",") + field;
    return joined;
  };
  if (!reader.next(fields) || header() != kObservationsHeader)
    reader.fail("the columns are not " + std::string(kObservationsHeader));
  while (reader.next(fields)) {
    if (fields.size() != 8) reader.fail(fmt::format("has {} fields instead of 8", fields.size()));
    result.observations.push_back({std::move(fields[1]), std::move(fields[2]), std::move(fields[3]),
                                   std::move(fields[4]), std::move(fields[5]),
                                   number_of<std::size_t>(fields[6], reader),
                                   number_of<double>(fields[7], reader)});
  }
}

void read_observations(const fs::path& where, Result& result) {
  const fs::path file = result_folder(where) / "observations.csv";
  parse_observations(file_text(file), file.string(), result);
}

Experiment experiment_of(const Result& result, const std::string& where) {
  if (!result.effective.is_object())
    throw InputError(where +
                     ": does not say what was asked (no experiment.effective): it is of an older "
                     "missive-sim; run the experiment again");
  Experiment e = make_experiment(
      JsonSource::parse(result.effective.dump(-1, ' ', false, Json::error_handler_t::replace),
                        where + ": /experiment/effective"));
  e.sha256 = result.sha256;
  return e;
}

}  // namespace missive::harness
