#pragma once
// The catalogue of published values: what other people measured or claimed, each with its source,
// kept as they printed it. It fills the "published" column beside what was measured here, and
// stands in for mechanisms this host cannot run. It is never an input of a prediction that is held
// against a measurement of this host.
//
// File (experiments/parameters/published.json), format "missive-sim/published/1":
//   values   [{mechanism, quantity, value | low and/or high, unit, source, year, url, how}]
//            how: "read" in the source itself or its authors' data, or "unchecked": quoted from
//            elsewhere and not held against the source
//   seed     {GROUP: {ROW: [[mechanism, quantity], ...]}}  the claims of the comparison's table
//   ranges   the same shape: published measurements that belong beside them
//   presets  [{name, what, cells: {CELL: [[mechanism, quantity], ...]}}]
// A bound is a value with only one of low and high: "under 10 ns" has high 10.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace missive {

struct PublishedValue {
  std::string mechanism, quantity;
  std::optional<double> value, low, high;  // at least one
  std::string unit;                        // as printed: "ns", "cycles", "%", "x", "count" ...
  std::string source, url;
  int year = 0;
  bool checked = true;  // read in the source

  double least() const;      // low, or the value, or high
  double most() const;       // high, or the value, or low
  std::string text() const;  // "129 ns", "20 to 40 %", "< 10 ns", "> 1000 ns"
};

// Seconds or bytes of one `unit`, 1 for counts and ratios, 0.01 for "%"; nothing for "cycles",
// which are no time without a clock, and for units of other kinds.
std::optional<double> si_factor(const std::string& unit);

using PublishedCells = std::map<std::string, std::vector<const PublishedValue*>>;

// A mechanism by the literature alone.
struct PublishedPreset {
  std::string name, what;
  PublishedCells cells;  // "switch", "creation", "execution", "sharing", "density"
};

// Everything from least to most of several values of one kind ("773 ns to 50 us"); values
// of another kind (cycles beside nanoseconds) are listed behind it. "-" for none.
std::string published_range(const std::vector<const PublishedValue*>& values);

class PublishedCatalogue {
 public:
  // Throws InputError that names every bad entry and every reference to a value that is not there.
  static PublishedCatalogue from_json(const nlohmann::json& document, const std::string& where);

  const std::vector<PublishedValue>& all() const { return values_; }
  // Throws InputError with the nearest mechanism, or the quantities known of it.
  const PublishedValue& at(const std::string& mechanism, const std::string& quantity) const;
  // Values in whose mechanism, quantity or source `text` occurs, whatever the letter case.
  std::vector<const PublishedValue*> matching(const std::string& text) const;

  // Empty where the catalogue has nothing. Groups: "SFI", "MicroVM", "multiPIE".
  std::vector<const PublishedValue*> seed(const std::string& group, const std::string& row) const;
  std::vector<const PublishedValue*> range(const std::string& group, const std::string& row) const;
  const std::vector<PublishedPreset>& presets() const { return presets_; }
  // Throws InputError with the nearest name.
  const PublishedPreset& preset(const std::string& name) const;

  PublishedCatalogue(const PublishedCatalogue&) = delete;  // references point into values_
  PublishedCatalogue& operator=(const PublishedCatalogue&) = delete;
  PublishedCatalogue(PublishedCatalogue&&) = default;
  PublishedCatalogue& operator=(PublishedCatalogue&&) = default;

 private:
  friend class PublishedReader;
  PublishedCatalogue() = default;

  std::vector<PublishedValue> values_;
  std::map<std::string, PublishedCells> seed_, ranges_;
  std::vector<PublishedPreset> presets_;
};

}  // namespace missive
