#pragma once
// An experiment: a validated experiment file with profile, --set options and defaults resolved, and
// the points of its sweep. Everything downstream works on this and never looks at the file again.
//
// Order of precedence, last wins: default of the schema, file, profile, command line. A --set on a
// swept pointer fixes it: that axis leaves the sweep.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/json_source.h"
#include "models/launch.h"
#include "models/quantity.h"

namespace missive::harness {

enum class Backend { sim, real, both };
std::string to_string(Backend backend);

// One point of the sweep: all that a single launch depends on.
struct LaunchPoint {
  std::string id;     // 8 hexadecimal digits of a hash over `parameters`; independent of the order
                      // of the sweep and of how a quantity was written
  std::string label;  // values of the swept keys, "cold mac fuse sealed"; for people
  std::string application, warm_with;
  Temperature temperature = Temperature::hot;
  std::string verifier, verification, delivery;
  HandOver hand_over = HandOver::sealed;
  Bytes block_size{};
  std::uint32_t degree = 0;
  bool pack_small_files = true;
  Picos origin_rtt{};  // round trip; a link's one-way latency is half of it
  Rate origin_bandwidth{};
  Json parameters;       // the above, flat, sizes in bytes and times in seconds: as in result.json
  bool baseline = true;  // every swept key but the temperature has the file's own value
};

// A point as result.json names it, whatever its kind.
struct ExperimentPoint {
  std::string id, label;
  Json parameters;
};

// What only one kind of experiment has; its own files know the type (experiment_kind.h).
struct KindSettings {
  virtual ~KindSettings() = default;
};

struct Tolerance {
  double phase = 0.2, total = 0.1;  // relative
  Picos shortest_phase{};           // phases measured below are not judged
};

// Which cost parameters a prediction takes, and by what factor it changes them.
struct ParameterChoice {
  bool reference = false;  // those that ship with the project, not this host's
  std::map<std::string, double> scale;
};

struct Experiment {
  std::string name, description, kind;
  std::string file;    // as the user named it
  std::string sha256;  // of the file's bytes
  std::uint64_t seed = 1;
  Backend backend = Backend::both;
  bool require_real = false;
  int repetitions = 1, native_repetitions = 1, warmup = 0;
  Picos deadline{};
  bool idle_states = false;  // kind "launch": processors may fall asleep while one is measured
  Tolerance tolerance;
  ParameterChoice parameters;
  std::string named_parameters;       // of the command line, in place of the file's choice of a set
  std::vector<ExperimentPoint> grid;  // never empty; unique ids
  std::vector<LaunchPoint> points;    // kind "launch": those of the grid, as launches
  std::shared_ptr<const KindSettings> settings;  // other kinds
  Json effective;  // the file with everything resolved; itself a valid file
};

// 8 hexadecimal digits of a hash over a point's parameters, whatever the order of their keys.
std::string point_id(const Json& parameters);

// What the command line changes.
struct Overrides {
  std::vector<std::string> sets;            // "POINTER=VALUE"; VALUE is JSON, or else a string
  std::string profile;                      // "", "kick", "short", "full"
  std::string backend;                      // "", "sim", "real", "both"
  std::optional<std::int64_t> repetitions;  // of both worlds' real launches and native twins
  std::optional<std::int64_t> seed;
  std::string parameters;  // "", "reference" or a file (harness/parameter_source.h)
};

// Throws InputErrors with every problem of file and overrides.
Experiment load_experiment(const std::filesystem::path& file, const Overrides& overrides = {});
Experiment make_experiment(const JsonSource& source, const Overrides& overrides = {});

}  // namespace missive::harness
