#pragma once
// Quantities of the model: time, bytes and rates, each its own type.
//
// Time is an integer number of picoseconds. Costs here span nine orders of magnitude (a 2 ns call,
// a 2 s cold launch); a picosecond tick keeps 0.1 % of a nanosecond and int64 still reaches 106
// days. Nothing below this header passes a bare double for a time; conversions are the named
// functions here.

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace missive {

using Picos = std::chrono::duration<std::int64_t, std::pico>;

struct Bytes {
  std::uint64_t count = 0;
  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes other) { return count += other.count, *this; }
};
constexpr Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
constexpr Bytes operator-(Bytes a, Bytes b) { return {a.count - b.count}; }

struct Rate {
  double bytes_per_second = 0;
  constexpr auto operator<=>(const Rate&) const = default;
};

constexpr double to_seconds(Picos t) { return static_cast<double>(t.count()) * 1e-12; }

// Rounds to the nearest picosecond. Throws std::range_error when `seconds` is not finite or does
// not fit (beyond +-106 days).
Picos from_seconds(double seconds);

// bytes / rate. Throws std::domain_error when the rate is not positive.
Picos transfer_time(Bytes bytes, Rate rate);

// For people: three significant digits and a unit, "12.3 ms", "97.9 MiB", "6.25 MB/s".
std::string to_string(Picos t);
std::string to_string(Bytes b);
std::string to_string(Rate r);

// Reads "20ms", "1.5 s", "250us" / "64KiB", "100 MB" / "50Mbit/s", "1 GB/s". KiB is 1024, kB is
// 1000, a bare number has no unit and is refused. Throws std::invalid_argument with a message that
// names the accepted units.
Picos parse_time(const std::string& text);
Bytes parse_bytes(const std::string& text);
Rate parse_rate(const std::string& text);

}  // namespace missive
