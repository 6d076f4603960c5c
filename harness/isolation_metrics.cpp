#include "harness/isolation_metrics.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "harness/isolation_measure.h"
#include "models/quantity.h"

namespace missive::harness {

namespace {

// The largest message of at most 64 KiB that was asked for.
std::string message_size(const PointResult& point) {
  constexpr std::uint64_t kAbout = 65536;
  std::uint64_t best = 0;
  if (point.parameters.contains("sizes"))
    for (const Json& size : point.parameters["sizes"]) {
      const auto bytes = size.get<std::uint64_t>();
      if (best == 0 || (bytes <= kAbout && (bytes > best || best > kAbout))) best = bytes;
    }
  return std::to_string(best);
}

}  // namespace

const PointResult* find_point(const Result& result, const std::string& mechanism, Cell cell) {
  const std::string label = mechanism + ' ' + to_string(cell);
  for (const PointResult& point : result.points)
    if (point.label == label) return &point;
  return nullptr;
}

const Metric* find_metric(const PointResult* point, const std::string& name) {
  if (point == nullptr) return nullptr;
  for (const Metric& m : point->metrics)
    if (m.name == name) return &m;
  return nullptr;
}

std::optional<double> measured(const Metric* m) {
  if (m == nullptr || !m->measured) return std::nullopt;
  return m->measured->median;
}
std::optional<double> simulated(const Metric* m) {
  return m == nullptr ? std::nullopt : m->simulated;
}

std::optional<double> slow_down(const PointResult* point, bool of_measured) {
  double logs = 0;
  std::size_t n = 0;
  if (point == nullptr) return std::nullopt;
  for (const Metric& m : point->metrics) {
    if (!m.name.starts_with("execution.slowdown.")) continue;
    const auto value = of_measured ? measured(&m) : m.simulated;
    if (!value || !(*value > 0)) continue;
    logs += std::log(*value);
    ++n;
  }
  if (n == 0) return std::nullopt;
  return std::exp(logs / static_cast<double>(n)) - 1;
}

const Metric* message_of(const PointResult* point) {
  if (point == nullptr) return nullptr;
  const Metric* pointer = find_metric(point, "sharing.message.pointer." + message_size(*point));
  return pointer != nullptr ? pointer
                            : find_metric(point, "sharing.message.copy." + message_size(*point));
}

std::optional<double> wasted(const PointResult* point, bool of_measured) {
  const Metric* message = message_of(point);
  const Metric* local = point == nullptr
                            ? nullptr
                            : find_metric(point, "sharing.message.local." + message_size(*point));
  const auto all = of_measured ? measured(message) : simulated(message);
  const auto work = of_measured ? measured(local) : simulated(local);
  if (!all || !work || !(*all > 0)) return std::nullopt;
  return 1 - *work / *all;
}

std::string percent(double fraction) { return fmt::format("{:+.0f} %", fraction * 100); }

std::string attacks_text(const Attacks& a) { return fmt::format("{} of {}", a.contained, a.tried); }

std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines{""};
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto comma = std::min(text.find(", ", begin), text.size());
    const std::string part = text.substr(begin, comma - begin);
    if (!lines.back().empty() && lines.back().size() + 2 + part.size() > width) {
      lines.back() += ',';
      lines.emplace_back();
    }
    lines.back() += (lines.back().empty() ? "" : ", ") + part;
    begin = comma + 2;
  }
  return lines;
}

std::string error_text(const Metric* m) {
  if (m == nullptr || !m->relative_error) return "-";
  const double p = std::clamp(*m->relative_error * 100, -999.0, 999.0);
  return fmt::format("{:+.0f}%{}", p, m->within_tolerance == false ? "!" : " ");
}

std::string bytes_text(std::optional<double> bytes) {
  if (!bytes) return "-";
  return missive::to_string(Bytes{static_cast<std::uint64_t>(std::max(*bytes, 0.0))});
}

std::optional<Attacks> attacks_of(const Result& result, const std::string& mechanism) {
  const PointResult* point = find_point(result, mechanism, Cell::security);
  if (point == nullptr || point->metrics.empty()) return std::nullopt;
  Attacks a;
  for (const Metric& m : point->metrics) {
    if (!m.measured) continue;
    ++a.tried;
    a.contained += m.measured->median == kContained;
  }
  return a;
}

}  // namespace missive::harness
