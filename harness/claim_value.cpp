#include "harness/claim_value.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "models/closed_forms.h"

namespace missive::harness {

namespace {

// A term or value that has no number; says why.
struct Missing {
  std::string why;
};

ClaimNumber exact(double value) { return {value, value, value, 1, true}; }

std::string where_text(const std::map<std::string, Json>& where) {
  std::string text;
  for (const auto& [key, value] : where)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key,
                        value.is_string() ? value.get<std::string>() : value.dump());
  return text;
}

const Json* find_point(const std::map<std::string, Json>& where, const Json& result) {
  for (const Json& point : result["points"]) {
    const auto parameters = point.find("parameters");
    if (parameters == point.end()) continue;
    const bool all = std::all_of(where.begin(), where.end(), [&](const auto& wanted) {
      const auto own = parameters->find(wanted.first);
      return own != parameters->end() && *own == wanted.second;
    });
    if (all) return &point;
  }
  return nullptr;
}

// What the run says of a point that has no such metric.
std::string reason(const std::map<std::string, Json>& where, const Json& result) {
  const auto mechanism = where.find("mechanism");
  if (mechanism == where.end() || !mechanism->second.is_string()) return {};
  const auto name = mechanism->second.get<std::string>();
  for (const Json& text : result["summary"].value("not_available", Json::array()))
    if (const auto line = text.get<std::string>(); line.starts_with(name))
      return fmt::format("not available here: {}", line);
  return {};
}

ClaimNumber of_metric(const Json& metric, World world, bool count) {
  const std::string name = metric["name"];
  if (world == World::simulated) {
    if (!metric["simulated"].is_number()) throw Missing{"the model has no number for " + name};
    return exact(metric["simulated"].get<double>());
  }
  const Json& m = metric["measured"];
  if (!m.is_object() || !m["median"].is_number()) throw Missing{name + " was not measured"};
  ClaimNumber number{m["median"], m["median"], m["median"], m["n"], count};
  if (!count && m["ci95"].is_array() && m["ci95"].size() == 2 && m["ci95"][0].is_number() &&
      m["ci95"][1].is_number()) {
    number.low = m["ci95"][0];
    number.high = m["ci95"][1];
  }
  return number;
}

bool is_pattern(const std::string& metric) { return metric.ends_with('*'); }

bool matches(const std::string& pattern, const std::string& name) {
  if (!is_pattern(pattern)) return name == pattern;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

// Whether the world answered at all: of a pattern, metrics that do not apply are left out.
bool answered(const Json& metric, World world) {
  return world == World::measured ? metric["measured"].is_object()
                                  : metric["simulated"].is_number();
}

// Several for a pattern.
std::vector<ClaimNumber> of_term(const ClaimTerm& t, World world, const Json& result) {
  if (t.number) return {exact(*t.number)};
  if (!t.model.empty()) {
    if (world == World::measured) throw Missing{"a closed form is not measured"};
    return {exact(closed_form(t.model, t.arguments))};
  }
  if (!t.summary.empty()) {
    if (world == World::simulated) throw Missing{t.summary + " compares both worlds"};
    const auto summary = result.find("summary");
    const Json value = summary == result.end() ? Json() : summary->value(t.summary, Json());
    if (value.is_boolean()) return {exact(value.get<bool>() ? 1 : 0)};
    if (value.is_number()) return {exact(value.get<double>())};
    throw Missing{fmt::format("{} needs both worlds, and one of them did not answer", t.summary)};
  }
  const Json* point = find_point(t.where, result);
  if (point == nullptr)
    throw Missing{fmt::format("no point of this run has {}", where_text(t.where))};
  std::vector<ClaimNumber> all;
  for (const Json& metric : (*point)["metrics"])
    if (matches(t.metric, metric["name"]) && (!is_pattern(t.metric) || answered(metric, world)))
      all.push_back(of_metric(metric, world, t.count));
  if (all.empty()) {
    const std::string why = reason(t.where, result);
    throw Missing{why.empty() ? fmt::format("{} was not {} in this run", t.metric,
                                            world == World::measured ? "measured" : "predicted")
                              : why};
  }
  return all;
}

// Fewest repetitions, and whether anything has an interval at all.
ClaimNumber with_support(ClaimNumber number, const std::vector<ClaimNumber>& parts) {
  number.exact = true;
  number.n = 1;
  for (const ClaimNumber& part : parts) {
    if (part.exact) continue;
    number.n = number.exact ? part.n : std::min(number.n, part.n);
    number.exact = false;
  }
  return number;
}

ClaimNumber quotient(const ClaimNumber& a, const ClaimNumber& b) {
  if (!(b.low > 0) || !(a.low >= 0))
    throw Missing{"a quotient needs numbers above zero, and its interval reaches below"};
  return with_support({a.value / b.value, a.low / b.high, a.high / b.low, 1, true}, {a, b});
}

ClaimNumber mapped(const ClaimNumber& a, const std::function<double(double)>& f) {
  const double x = f(a.low), y = f(a.high);
  return with_support({f(a.value), std::min(x, y), std::max(x, y), 1, true}, {a});
}

ClaimNumber folded(const std::vector<ClaimNumber>& all, double start,
                   const std::function<double(double, double)>& f) {
  ClaimNumber sum{start, start, start, 1, true};
  for (const ClaimNumber& one : all)
    sum = {f(sum.value, one.value), f(sum.low, one.low), f(sum.high, one.high), 1, true};
  return with_support(sum, all);
}

ClaimNumber geometric_mean(const std::vector<ClaimNumber>& all) {
  for (const ClaimNumber& one : all)
    if (!(one.low > 0)) throw Missing{"a geometric mean needs numbers above zero"};
  const auto n = static_cast<double>(all.size());
  const ClaimNumber logs = folded(all, 0, [](double sum, double x) { return sum + std::log(x); });
  return with_support(mapped(logs, [n](double sum) { return std::exp(sum / n); }), all);
}

ClaimNumber of_value(const ClaimValue& v, World world, const Json& result) {
  std::vector<ClaimNumber> all;
  for (const ClaimTerm& term : v.terms)
    for (const ClaimNumber& number : of_term(term, world, result)) all.push_back(number);
  const auto smaller = [](double a, double b) { return std::min(a, b); };
  const auto larger = [](double a, double b) { return std::max(a, b); };
  switch (v.op) {
    case ClaimOp::value:
      if (all.size() != 1) throw Missing{"several metrics have this name"};
      return all[0];
    case ClaimOp::ratio:
      return quotient(all.at(0), all.at(1));
    case ClaimOp::saved:
      return mapped(quotient(all.at(1), all.at(0)), [](double x) { return 1 - x; });
    case ClaimOp::difference:
      return with_support({all.at(0).value - all.at(1).value, all.at(0).low - all.at(1).high,
                           all.at(0).high - all.at(1).low, 1, true},
                          all);
    case ClaimOp::sum:
      return folded(all, 0, std::plus<>());
    case ClaimOp::geomean:
      return geometric_mean(all);
    case ClaimOp::slow_down:
      return mapped(geometric_mean(all), [](double x) { return x - 1; });
    case ClaimOp::least:
      return folded(all, INFINITY, smaller);
    case ClaimOp::most:
      return folded(all, -INFINITY, larger);
  }
  throw Missing{"nothing to compute"};
}

ClaimNumber least_step(const std::vector<ClaimNumber>& values) {
  std::vector<ClaimNumber> steps;
  for (std::size_t i = 1; i < values.size(); ++i)
    steps.push_back(quotient(values[i], values[i - 1]));
  return folded(steps, INFINITY, [](double a, double b) { return std::min(a, b); });
}

ClaimNumber exponent(const std::vector<double>& x, const std::vector<ClaimNumber>& y) {
  double mean = 0, spread = 0;
  for (const double at : x) mean += std::log(at) / static_cast<double>(x.size());
  for (const double at : x) spread += (std::log(at) - mean) * (std::log(at) - mean);
  if (!(spread > 0)) throw Missing{"a trend needs different x"};
  ClaimNumber slope{0, 0, 0, 1, true};
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(y[i].low > 0)) throw Missing{"a trend needs numbers above zero"};
    const double weight = (std::log(x[i]) - mean) / spread;
    slope.value += weight * std::log(y[i].value);
    slope.low += weight * std::log(weight > 0 ? y[i].low : y[i].high);
    slope.high += weight * std::log(weight > 0 ? y[i].high : y[i].low);
  }
  return with_support(slope, y);
}

// Where two curves meet, linear over log x between the points.
double meeting(const std::vector<double>& x, const std::function<double(std::size_t)>& gap) {
  for (std::size_t i = 1; i < x.size(); ++i) {
    const double before = gap(i - 1), after = gap(i);
    if (before == 0) return x[i - 1];
    if (before * after > 0) continue;
    const double part = before / (before - after);
    return std::exp(std::log(x[i - 1]) + part * (std::log(x[i]) - std::log(x[i - 1])));
  }
  if (gap(x.size() - 1) == 0) return x.back();
  throw Missing{"the two curves do not meet in this range"};
}

ClaimNumber crossover(const std::vector<double>& x, const std::vector<ClaimNumber>& a,
                      const std::vector<ClaimNumber>& b) {
  ClaimNumber at = exact(meeting(x, [&](std::size_t i) { return a[i].value - b[i].value; }));
  const double early = meeting(x, [&](std::size_t i) { return a[i].low - b[i].high; });
  const double late = meeting(x, [&](std::size_t i) { return a[i].high - b[i].low; });
  at.low = std::min({at.value, early, late});
  at.high = std::max({at.value, early, late});
  std::vector<ClaimNumber> parts = a;
  parts.insert(parts.end(), b.begin(), b.end());
  return with_support(at, parts);
}

}  // namespace

std::optional<double> point_parameter(const ClaimTerm& term, const std::string& name,
                                      const Json& result) {
  if (!result.is_object()) return std::nullopt;
  const Json* point = find_point(term.where, result);
  if (point == nullptr) return std::nullopt;
  const auto found = (*point)["parameters"].find(name);
  if (found == (*point)["parameters"].end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

Evaluated evaluate(const Claim& claim, World world, const Json& result) {
  const auto all = [&](const std::vector<ClaimValue>& values) {
    std::vector<ClaimNumber> numbers;
    for (const ClaimValue& v : values) numbers.push_back(of_value(v, world, result));
    return numbers;
  };
  try {
    const std::vector<ClaimNumber> values = all(claim.values);
    switch (claim.kind) {
      case ClaimKind::range:
      case ClaimKind::ratio:
        return {values.at(0), {}};
      case ClaimKind::exact:
        return {values.size() == 1 ? values[0] : quotient(values[0], values[1]), {}};
      case ClaimKind::equivalent:
        return {quotient(values.at(0), values.at(1)), {}};
      case ClaimKind::order:
        return {least_step(values), {}};
      case ClaimKind::trend:
        return {exponent(claim.x, values), {}};
      case ClaimKind::crossover:
        return {crossover(claim.x, values, all(claim.against)), {}};
    }
  } catch (const Missing& missing) {
    return {std::nullopt, missing.why};
  }
  return {std::nullopt, "nothing to compute"};
}

}  // namespace missive::harness
