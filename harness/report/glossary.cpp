#include "harness/report/glossary.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "harness/compare_metrics.h"
#include "harness/key_help.h"
#include "harness/report/answers.h"

namespace missive::harness {
namespace {

struct Seen {
  bool simulated = false, measured = false, judged = false, baseline = false;
  bool noise_floor = false, twin = false;
};

Seen look_at(const Result& result) {
  Seen seen;
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics) {
      seen.simulated |= m.simulated.has_value();
      seen.measured |= m.measured.has_value();
      seen.judged |= m.within_tolerance.has_value();
      seen.baseline |= m.baseline_relative_error.has_value();
      seen.noise_floor |= m.measured && m.measured->noise_floor;
      seen.twin |= m.name == kNativeTwin;
    }
  return seen;
}

void add_columns(const Seen& seen, std::vector<Term>& terms) {
  if (seen.simulated)
    terms.push_back({"simulated, predicted",
                     "by the model, from cost parameters alone: never from what it predicts"});
  if (seen.measured)
    terms.push_back({"measured", "done on this host: the median, and its 95 % interval"});
  if (seen.simulated && seen.measured)
    terms.push_back({"error", "(simulated - measured) / measured"});
  if (seen.noise_floor)
    terms.push_back({"noise floor",
                     "how far this machine disagrees with itself, between two halves of the "
                     "repetitions: no error below it is skill of the model"});
  if (seen.judged)
    terms.push_back({"judged, within tolerance, outside",
                     "held against the tolerance that the experiment file gives, or against the "
                     "noise floor where that is larger"});
  if (seen.baseline)
    terms.push_back({"bytes only",
                     "a predictor that knows nothing but the bytes a launch moves: a straight line "
                     "through the times measured at the other points. What a model has to beat"});
  if (seen.twin)
    terms.push_back(
        {"native twin",
         "the same application started from the file system, without cache, check or "
         "picoprocess; the launch's total minus it is the cost of the untrusted cache"});
}

// Of a phase that took time in either world, at any point.
void add_phases(const Result& result, std::vector<Term>& terms) {
  const auto happened = [&](const std::string& name) {
    for (const PointResult& point : result.points)
      if (const Metric* m = find_metric(point, name);
          m != nullptr &&
          (m->simulated.value_or(0) > 0 || (m->measured && m->measured->median > 0)))
        return true;
    return false;
  };
  for (const Phase phase : kPhases)
    if (happened(to_string(phase)))
      terms.push_back({to_string(phase), phase_in_words(to_string(phase))});
}

// Values of a parameter over the points, in the order of the points; empty for numbers.
std::string values_of(const Result& result, const std::string& name) {
  std::vector<std::string> values;
  for (const PointResult& point : result.points)
    if (point.parameters.contains(name) && point.parameters[name].is_string())
      if (auto v = point.parameters[name].get<std::string>();
          std::find(values.begin(), values.end(), v) == values.end())
        values.push_back(std::move(v));
  if (values.size() > 6) return {};
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

// A point's parameter is the key of that name, or one of the key's list: "algorithm" of
// "algorithms".
void add_keys(const Result& result, std::vector<Term>& terms) {
  if (result.points.empty() || !result.points.front().parameters.is_object()) return;
  const std::vector<KeyHelp> keys = all_keys();
  for (const auto& [name, value] : result.points.front().parameters.items())
    for (const KeyHelp& key : keys) {
      if (std::find(key.kinds.begin(), key.kinds.end(), result.kind) == key.kinds.end()) continue;
      if (key.key != name && key.key != name + 's') continue;
      const std::string values = values_of(result, name);
      terms.push_back({values.empty() ? name : name + " (" + values + ")", key.description});
      break;
    }
}

}  // namespace

std::string phase_in_words(const std::string& phase) {
  static const std::map<std::string, std::string> kWords{
      {"create", "check the boot block's signature, clone the picoprocess"},
      {"lookup", "ask the cache what it has of the image"},
      {"fetch", "the cache gets what it lacks from the origin"},
      {"assemble", "the cache copies the blocks into one memory file"},
      {"map", "hand the image over to the launcher"},
      {"tag_lookup",
       "ask the cache for the image's tag: the keyed MAC stored when it was first verified"},
      {"verify", "convince oneself of the content: by its Merkle tree, or by the keyed MAC"},
      {"tag_store", "store the tag for the next launch"},
      {"boot", "deliver the files, start the application, wait until it is ready"},
      {"background",
       "lazily, behind the application: put its pages ahead, verify the rest; no part of the "
       "total"},
      {"boot.deliver", "put the image's files where the application finds them"},
      {"boot.start", "start the program in the picoprocess"},
      {"boot.application", "the application's own start; an input of the model"},
      {"first_instruction", "from the beginning until execve(2) of the application has succeeded"},
      {"total", "the whole launch"},
      {"native_twin", "the same application without cache, check and picoprocess"},
      {"untrusted_cache_cost", "the whole launch minus the native twin"},
  };
  const auto found = kWords.find(phase);
  return found == kWords.end() ? std::string{} : found->second;
}

std::vector<Term> glossary(const Result& result, const std::vector<Term>& of_kind) {
  std::vector<Term> terms;
  add_columns(look_at(result), terms);
  if (result.kind == "launch" || result.kind.empty()) add_phases(result, terms);
  terms.insert(terms.end(), of_kind.begin(), of_kind.end());
  add_keys(result, terms);
  return terms;
}

}  // namespace missive::harness
