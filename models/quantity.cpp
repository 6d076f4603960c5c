#include "models/quantity.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>

namespace missive {

namespace {

struct Unit {
  const char* name;
  double factor;
};

constexpr std::array kTimeUnits{Unit{"ps", 1e-12}, Unit{"ns", 1e-9},     Unit{"us", 1e-6},
                                Unit{"ms", 1e-3},  Unit{"s", 1},         Unit{"min", 60},
                                Unit{"h", 3600},   Unit{"\u00b5s", 1e-6}};
constexpr std::array kByteUnits{Unit{"B", 1},
                                Unit{"kB", 1e3},
                                Unit{"MB", 1e6},
                                Unit{"GB", 1e9},
                                Unit{"TB", 1e12},
                                Unit{"KiB", 1024},
                                Unit{"MiB", 1024.0 * 1024},
                                Unit{"GiB", 1024.0 * 1024 * 1024},
                                Unit{"TiB", 1024.0 * 1024 * 1024 * 1024}};
constexpr std::array kRateUnits{Unit{"bit/s", 0.125},
                                Unit{"kbit/s", 125},
                                Unit{"Mbit/s", 125e3},
                                Unit{"Gbit/s", 125e6},
                                Unit{"B/s", 1},
                                Unit{"kB/s", 1e3},
                                Unit{"MB/s", 1e6},
                                Unit{"GB/s", 1e9},
                                Unit{"KiB/s", 1024},
                                Unit{"MiB/s", 1048576.0},
                                Unit{"GiB/s", 1073741824.0}};

struct Scaled {
  double number;
  double factor;
};

[[noreturn]] void refuse(const std::string& text, const char* what, std::span<const Unit> units) {
  std::string names;
  for (const Unit& unit : units) names += fmt::format("{}{}", names.empty() ? "" : ", ", unit.name);
  constexpr std::size_t kShown = 40;
  const std::string shown = text.size() > kShown ? text.substr(0, kShown) + "..." : text;
  throw std::invalid_argument(
      fmt::format("'{}' is not a {}; write a number and one of the units {}", shown, what, names));
}

Scaled parse(const std::string& text, const char* what, std::span<const Unit> units) {
  // from_chars also reads "inf", "nan" and a minus sign; no quantity here has those.
  if (text.empty() || ((text[0] < '0' || text[0] > '9') && text[0] != '.'))
    refuse(text, what, units);
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) refuse(text, what, units);
  std::string name(rest, end);
  name.erase(0, name.find_first_not_of(' '));
  for (const Unit& unit : units)
    if (name == unit.name) return {number, unit.factor};
  refuse(text, what, units);
}

// Three significant digits, but no digit before the point is dropped.
std::string three_digits(double value) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

// `value` in the largest unit of `units` (ascending) in which it is at least 1 after rounding.
std::string in_units(double value, std::span<const Unit> units) {
  std::size_t i = units.size() - 1;
  while (i > 0 && value / units[i].factor < 0.9995) --i;
  return three_digits(value / units[i].factor) + " " + units[i].name;
}

}  // namespace

Picos from_seconds(double seconds) {
  constexpr double kLimit = 9.2e6;  // below 2^63 ps
  if (!std::isfinite(seconds) || std::abs(seconds) > kLimit)
    throw std::range_error(fmt::format("a time of {} s does not fit into the clock", seconds));
  return Picos{std::llround(static_cast<long double>(seconds) * 1e12L)};
}

Picos transfer_time(Bytes bytes, Rate rate) {
  if (!(rate.bytes_per_second > 0))
    throw std::domain_error(
        fmt::format("a rate of {} bytes per second never finishes", rate.bytes_per_second));
  return from_seconds(static_cast<double>(bytes.count) / rate.bytes_per_second);
}

std::string to_string(Picos t) {
  if (t.count() == 0) return "0 s";
  if (t.count() < 0) {
    const auto most = Picos{std::numeric_limits<std::int64_t>::max()};
    return fmt::format("-{}", to_string(t == Picos::min() ? most : -t));
  }
  if (t.count() < 1000) return fmt::format("{} ps", t.count());
  return in_units(to_seconds(t), std::span(kTimeUnits).first(5));
}

std::string to_string(Bytes b) {
  if (b.count < 1024) return fmt::format("{} B", b.count);
  const std::array<Unit, 4> binary{kByteUnits[5], kByteUnits[6], kByteUnits[7], kByteUnits[8]};
  return in_units(static_cast<double>(b.count), binary);
}

std::string to_string(Rate r) {
  return in_units(r.bytes_per_second, std::span(kRateUnits).subspan(4, 4));
}

Picos parse_time(const std::string& text) {
  const Scaled t = parse(text, "time", kTimeUnits);
  try {
    return from_seconds(t.number * t.factor);
  } catch (const std::range_error&) {
    throw std::invalid_argument("'" + text.substr(0, 40) + "' is too long a time; at most 2500 h");
  }
}

Bytes parse_bytes(const std::string& text) {
  const Scaled b = parse(text, "size", kByteUnits);
  const long double count = static_cast<long double>(b.number) * static_cast<long double>(b.factor);
  if (!(count < 9.2e18L))
    throw std::invalid_argument("'" + text.substr(0, 40) + "' is too large a size; at most 9 EB");
  const long double whole = std::round(count);
  // "0.1 MB" is 100000 bytes up to the rounding of 0.1; "1.5 B" is a mistake.
  if (std::abs(count - whole) > 1e-9L * (1 + whole))
    throw std::invalid_argument("'" + text.substr(0, 40) + "' is not a whole number of bytes");
  return Bytes{static_cast<std::uint64_t>(whole)};
}

Rate parse_rate(const std::string& text) {
  const Scaled r = parse(text, "rate", kRateUnits);
  const double rate = r.number * r.factor;
  if (!(rate > 0) || !std::isfinite(rate))
    throw std::invalid_argument("'" + text.substr(0, 40) + "' is not a rate above zero");
  return Rate{rate};
}

}  // namespace missive
