#pragma once
// An interpreter for the part of JSON Schema draft-07 that the project's schemas use, because none
// in Debian 12 gives positions, suggestions and units. A schema with a keyword that is not handled
// here is refused when it is loaded: nothing in it is silently ignored.
//
// Own keywords (other validators skip them, as draft-07 asks):
//   x-quantity      "time" | "size" | "rate": the string is a quantity with unit
//   (models/quantity.h) x-minimum, x-maximum, x-power-of-two    range of such a quantity
//   x-per-point true: belongs to one point, hence may be swept x-registry      the enum lists a
//   registry of real/; a test holds them against each other. Registry "domain" has no enum in the
//   file: it is filled in when the file is read, so that a new mechanism needs no edit there.
//
// The schema of experiment files is one of several alternatives ("oneOf"), told apart by "kind".
// Its "$ref"s point into its own "definitions" and are resolved when it is read.

#include <filesystem>
#include <string>
#include <vector>

#include "harness/json_source.h"

namespace missive::harness {

struct Problem {
  std::string pointer;
  bool at_key = false;  // the key is wrong, not its value
  std::string message;
};

class Schema {
 public:
  // Throws RunError when the file is no schema of the kind described above.
  explicit Schema(Json document, const std::string& where);
  // Resolves "$ref"s into the file's own "definitions".
  static Schema load(const std::filesystem::path& file);

  const Json& document() const { return document_; }

  // Everything that is wrong with `instance`, in document order.
  std::vector<Problem> check(const Json& instance) const;

  // The same for a part: `value` against `sub_schema` (of find()), reported below `pointer`.
  static std::vector<Problem> check_with(const Json& sub_schema, const Json& value,
                                         const std::string& pointer);

  // `instance` with every absent key that has a default, recursively, in the schema's order.
  Json with_defaults(const Json& instance) const;

  // The sub-schema that describes `pointer`, or nullptr. Array elements count as any index.
  const Json* find(const std::string& pointer) const;

  // Pointers of all keys without sub-keys, "/image/degree"; only those per point when asked.
  std::vector<std::string> pointers(bool per_point_only) const;

 private:
  Json document_;
};

// The schema file of experiments, read from data_dir() once, with registries filled in: what other
// validators may use.
const Json& experiment_schema_document();
std::vector<std::string> experiment_kinds();
// The alternative for one kind. Throws InputError for a kind that is not there.
const Schema& experiment_schema(const std::string& kind);
// The alternative to check `document` against: its kind's; the nearest where that is misspelt, and
// the first where it is missing, so that everything else that is wrong is reported too.
const Schema& experiment_schema_for(const Json& document);

}  // namespace missive::harness
