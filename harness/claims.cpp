#include "harness/claims.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>

#include <fmt/format.h>

#include "harness/result_table.h"
#include "harness/schema.h"
#include "models/closed_forms.h"
#include "models/nearest.h"
#include "models/quantity.h"
#include "real/data_dir.h"
#include "real/zar/digest.h"

namespace missive::harness {

namespace {

constexpr std::array kTiers{"T0", "T1", "T2"};
constexpr std::array kKinds{"exact", "range", "ratio", "order", "trend", "crossover", "equivalent"};
constexpr std::array kOps{"value",   "ratio",     "difference", "sum", "saved",
                          "geomean", "slow_down", "least",      "most"};

// The schema has checked that it is there.
template <typename Enum, std::size_t N>
Enum parse(const std::array<const char*, N>& names, const std::string& text) {
  return static_cast<Enum>(std::find(names.begin(), names.end(), text) - names.begin());
}

std::optional<double> number(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  return found->get<double>();
}

std::vector<std::string> strings(const Json& object, const char* key) {
  return object.value(key, std::vector<std::string>{});
}

ClaimRun read_run(const Json& json) {
  ClaimRun run;
  run.minutes = json["minutes"];
  run.profile = json.value("profile", "");
  if (json.contains("repetitions")) run.repetitions = json["repetitions"].get<int>();
  run.sets = strings(json, "set");
  run.scaled = json.value("scaled", "");
  return run;
}

ClaimExperiment read_experiment(const Json& json) {
  ClaimExperiment e;
  e.id = json["id"];
  e.name = json["name"];
  e.file = json["file"];
  e.what = json["what"];
  e.human_minutes = json["human_minutes"];
  for (const auto& [profile, run] : json["profiles"].items()) e.profiles[profile] = read_run(run);
  return e;
}

class ClaimsReader {
 public:
  explicit ClaimsReader(const JsonSource& source) : source_(source) {}

  ClaimsFile read() {
    static const Schema schema = Schema::load(data_dir() / "experiments/schema/claims.schema.json");
    for (const Problem& p : schema.check(source_.document()))
      problems_.push_back(p.at_key ? source_.at_key(p.pointer, p.message)
                                   : source_.at_value(p.pointer, p.message));
    stop();
    const Json& document = source_.document();
    for (std::size_t i = 0; i < document["experiments"].size(); ++i)
      add_experiment(document["experiments"][i], child("/experiments", i));
    for (std::size_t i = 0; i < document["claims"].size(); ++i)
      add_claim(document["claims"][i], child("/claims", i));
    stop();
    file_.sha256 = zar::to_hex(zar::sha256(std::as_bytes(std::span(source_.text()))));
    return std::move(file_);
  }

 private:
  void stop() {
    if (!problems_.empty()) throw InputErrors(std::move(problems_));
  }
  void problem(const std::string& pointer, std::string message) {
    problems_.push_back(source_.at_value(pointer, std::move(message)));
  }

  void once(std::set<std::string>& seen, const std::string& value, const std::string& pointer) {
    if (!seen.insert(value).second)
      problem(pointer, fmt::format("'{}' is used twice; give each its own", value));
  }

  void add_experiment(const Json& json, const std::string& at) {
    ClaimExperiment e = read_experiment(json);
    once(ids_, e.id, child(at, "id"));
    once(names_, e.name, child(at, "name"));
    if (!std::filesystem::exists(data_dir() / "experiments" / e.file))
      problem(child(at, "file"), fmt::format("there is no experiments/{}; name a file that "
                                             "ships with the project",
                                             e.file));
    for (const char* profile : {"kick", "short"})
      if (e.profiles[profile].scaled.empty() && e.profiles[profile].sets.size() > 0)
        problem(child(child(at, "profiles"), profile),
                "leaves something out; say in \"scaled\" what, and why it is still evidence");
    file_.experiments.push_back(std::move(e));
  }

  void add_claim(const Json& json, const std::string& at) {
    Claim c = texts(json);
    once(ids_, c.id, child(at, "id"));
    if (!c.judged()) {
      for (const char* key : {"values", "low", "high", "equals"})
        if (json.contains(key))
          problem(child(at, key), "is never looked at, because the claim is not judged; remove it");
      if (!c.not_run.empty() && !c.not_supported.empty())
        problem(child(at, "not_run"), "contradicts \"not_supported\"; give one of them");
      file_.claims.push_back(std::move(c));
      return;
    }
    for (const char* key : {"kind", "decides", "values", "why", "variation"})
      if (!json.contains(key))
        problem(at, fmt::format("key \"{}\" is missing; a claim that is judged needs it, one that "
                                "is not says why in \"not_run\"",
                                key));
    if (!json.contains("kind") || !json.contains("values")) return;
    c.kind = parse<ClaimKind>(kKinds, json["kind"]);
    c.decides =
        json.value("decides", "measured") == "simulated" ? World::simulated : World::measured;
    if (c.kind == ClaimKind::equivalent) c.within = 0.1;
    c.within = number(json, "within").value_or(c.within);
    c.low = number(json, "low");
    c.high = number(json, "high");
    c.equals = number(json, "equals");
    c.x = json.value("x", std::vector<double>{});
    const std::map<std::string, Json> where = read_where(json);
    c.values = read_values(json["values"], child(at, "values"), where);
    if (json.contains("against"))
      c.against = read_values(json["against"], child(at, "against"), where);
    check(c, at);
    file_.claims.push_back(std::move(c));
  }

  static Claim texts(const Json& json) {
    Claim c;
    c.id = json["id"];
    c.from = json["from"];
    c.statement = json["statement"];
    c.source = json["source"];
    c.tier = parse<Tier>(kTiers, json["tier"]);
    c.published = json.value("published", "");
    c.hardware = json.value("hardware", "");
    c.experiment = json.value("experiment", "");
    c.unit = json.value("unit", "1");
    c.open_at = json.value("open_at", "");
    c.noise = json.value("noise", "");
    c.why = json.value("why", "");
    c.variation = json.value("variation", "");
    c.not_run = json.value("not_run", "");
    c.not_supported = json.value("not_supported", "");
    c.headline = json.value("headline", false);
    c.needs = strings(json, "needs");
    return c;
  }

  static std::map<std::string, Json> read_where(const Json& json) {
    std::map<std::string, Json> where;
    if (const auto found = json.find("where"); found != json.end())
      for (const auto& [key, value] : found->items()) where[key] = value;
    return where;
  }

  std::vector<ClaimValue> read_values(const Json& values, const std::string& at,
                                      const std::map<std::string, Json>& where) {
    std::vector<ClaimValue> all;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string here = child(at, i);
      ClaimValue value;
      value.op = parse<ClaimOp>(kOps, values[i].value("op", "value"));
      const Json& terms = values[i]["of"];
      for (std::size_t j = 0; j < terms.size(); ++j)
        value.terms.push_back(read_term(terms[j], child(child(here, "of"), j), where));
      const std::size_t wanted = value.op == ClaimOp::value ? 1
                                 : value.op == ClaimOp::ratio || value.op == ClaimOp::difference ||
                                         value.op == ClaimOp::saved
                                     ? 2
                                     : 0;
      if (wanted != 0 && terms.size() != wanted)
        problem(child(here, "of"),
                fmt::format("has {} terms; \"{}\" takes {}", terms.size(),
                            kOps.at(static_cast<std::size_t>(value.op)), wanted));
      all.push_back(std::move(value));
    }
    return all;
  }

  ClaimTerm read_term(const Json& json, const std::string& at,
                      const std::map<std::string, Json>& where) {
    ClaimTerm t;
    t.metric = json.value("metric", "");
    t.summary = json.value("summary", "");
    t.model = json.value("model", "");
    t.number = number(json, "number");
    t.count = json.value("count", false);
    t.where = read_where(json);
    t.where.insert(where.begin(), where.end());  // the term's own win
    if (const auto arguments = json.find("arguments"); arguments != json.end())
      for (const auto& [name, value] : arguments->items()) t.arguments[name] = value;
    const int given =
        !t.metric.empty() + !t.summary.empty() + !t.model.empty() + t.number.has_value();
    if (given != 1)
      problem(at, "names " + std::to_string(given) +
                      " numbers; give one of metric, summary, model, number");
    if (!t.metric.empty() && t.where.empty())
      problem(at, "a metric belongs to a point; say in \"where\" which");
    if (!t.model.empty()) try {
        closed_form(t.model, t.arguments);
      } catch (const InputError& e) {
        problem(child(at, "model"), e.what());
      }
    return t;
  }

  void check(const Claim& c, const std::string& at) {
    const bool needs_result = std::any_of(c.values.begin(), c.values.end(), [](const auto& v) {
      return std::any_of(v.terms.begin(), v.terms.end(), [](const ClaimTerm& t) {
        return !t.metric.empty() || !t.summary.empty();
      });
    });
    if (needs_result && c.experiment.empty())
      problem(at, "key \"experiment\" is missing; a metric comes from a run");
    if (!c.experiment.empty() && file_.experiment(c.experiment) == nullptr)
      problem(child(at, "experiment"),
              fmt::format("'{}' is not among /experiments{}", c.experiment,
                          did_you_mean(c.experiment, {names_.begin(), names_.end()})));
    if (!needs_result && c.decides == World::measured)
      problem(child(at, "decides"), "nothing is measured here; write \"simulated\"");
    if (c.tier == Tier::exact && c.decides != World::simulated)
      problem(child(at, "tier"), "T0 is for the model's own numbers; no measurement is exact");
    if (c.low && c.high && *c.low > *c.high)
      problem(child(at, "low"), "is above \"high\"; nothing lies between");
    check_count(c, at);
    check_limits(c, at);
  }

  void check_count(const Claim& c, const std::string& at) {
    const std::size_t n = c.values.size();
    const auto wrong = [&](const char* what) {
      problem(child(at, "values"), fmt::format("has {}; {}", n, what));
    };
    switch (c.kind) {
      case ClaimKind::exact:
        if (n != (c.equals ? 1U : 2U)) wrong("\"exact\" takes one and \"equals\", or two");
        break;
      case ClaimKind::range:
      case ClaimKind::ratio:
        if (n != 1) wrong("this kind takes one");
        break;
      case ClaimKind::equivalent:
        if (n != 2) wrong("\"equivalent\" takes two");
        break;
      case ClaimKind::order:
        if (n < 2) wrong("an order takes two or more");
        break;
      case ClaimKind::trend:
      case ClaimKind::crossover:
        if (n != c.x.size() || n < 2) wrong("give one for each of \"x\", two at least");
        if (c.kind == ClaimKind::crossover && c.against.size() != n)
          problem(at, "\"against\" needs as many values as \"values\"");
        for (const double x : c.x)
          if (!(x > 0)) problem(child(at, "x"), "x must be positive: logarithms are taken");
        break;
    }
  }

  void check_limits(const Claim& c, const std::string& at) {
    const bool limits = c.low || c.high;
    const bool wanted = c.kind == ClaimKind::range || c.kind == ClaimKind::ratio ||
                        c.kind == ClaimKind::trend || c.kind == ClaimKind::crossover;
    if (wanted && !limits) problem(at, "has neither \"low\" nor \"high\"; nothing could break it");
    if (c.equals && c.kind != ClaimKind::exact)
      problem(child(at, "equals"), "is for the kind \"exact\"");
  }

  const JsonSource& source_;
  std::vector<Diagnostic> problems_;
  std::set<std::string> ids_, names_;
  ClaimsFile file_;
};

}  // namespace

std::string to_string(Tier tier) { return kTiers.at(static_cast<std::size_t>(tier)); }
std::string to_string(ClaimKind kind) { return kKinds.at(static_cast<std::size_t>(kind)); }
std::string to_string(World world) { return world == World::measured ? "measured" : "simulated"; }

const ClaimExperiment* ClaimsFile::experiment(const std::string& name) const {
  for (const ClaimExperiment& e : experiments)
    if (e.name == name) return &e;
  return nullptr;
}

ClaimsFile read_claims(const JsonSource& source) { return ClaimsReader(source).read(); }

ClaimsFile load_claims() {
  return read_claims(JsonSource::read(data_dir() / "experiments/claims.json"));
}

std::string claim_number(const Claim& claim, double value) {
  // Three digits, and no "3.15e+03" for thousands.
  const std::string times = std::abs(value) >= 999.5 && std::abs(value) < 1e6
                                ? fmt::format("{:.0f} x", value)
                                : fmt::format("{:.3g} x", value);
  if (claim.kind == ClaimKind::order && claim.judged()) return times;
  const std::string sign = value < 0 ? "-" : "";
  if (claim.unit == "s") return value == 0 ? "0" : sign + seconds_text(std::abs(value));
  if (claim.unit == "B")
    return sign + missive::to_string(Bytes{static_cast<std::uint64_t>(std::abs(value))});
  if (claim.unit == "%") return fmt::format("{:.3g} %", value * 100);
  if (claim.unit == "x") return times;
  if (claim.unit == "1/s") return fmt::format("{:.3g}/s", value);
  return std::abs(value) < 1e6 && value == std::floor(value) ? fmt::format("{:.0f}", value)
                                                             : fmt::format("{:.3g}", value);
}

std::string expectation(const Claim& c) {
  if (!c.judged()) return "-";
  const auto text = [&](double value) { return claim_number(c, value); };
  if (c.kind == ClaimKind::exact) {
    const std::string close =
        c.within > 1e-6 ? fmt::format(" within {:.3g} %", c.within * 100) : "";
    return c.equals ? text(*c.equals) + close : "equal" + close;
  }
  if (c.kind == ClaimKind::equivalent) return fmt::format("equal within {:.3g} %", c.within * 100);
  if (c.kind == ClaimKind::order) {
    if (!c.low || *c.low <= 1) return "ascending";
    return fmt::format("ascending by {:.3g} x", *c.low);
  }
  if (c.low && c.high) return text(*c.low) + " to " + text(*c.high);
  return c.low ? "at least " + text(*c.low) : "at most " + text(*c.high);
}

}  // namespace missive::harness
