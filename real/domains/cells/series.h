#pragma once
// What a measured cell gives back: plain numbers with a name, fit to cross from the child process
// that measured to the one that judges. Names and meanings: docs/metrics.md.

#include <cstdint>
#include <string>
#include <vector>

namespace missive::domains {

struct Series {
  std::string metric;          // "switch.round_trip"
  std::string variant;         // "hot", "copy", a kernel's name; may be empty
  std::uint64_t x = 0;         // chain length, domains, bytes; 0 where there is none
  std::string unit;            // "s", "bytes", "1"
  std::vector<double> values;  // one for each repetition; none: not measured, and
  std::string note = {};       // why not
};

struct CellResult {
  std::string mechanism;
  std::vector<Series> series;
  std::string stopped_by;  // density: the limit that ended it; empty otherwise

  // Throws std::out_of_range when there is none.
  const Series& at(const std::string& metric, const std::string& variant = "",
                   std::uint64_t x = 0) const;
};

std::string to_json(const CellResult& result);
// Throws InputError for anything to_json() did not write.
CellResult cell_from_json(const std::string& text);

}  // namespace missive::domains
