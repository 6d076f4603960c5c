#include "harness/experiment.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "harness/experiment_kind.h"
#include "harness/parameter_source.h"
#include "harness/schema.h"
#include "harness/sweep.h"
#include "models/nearest.h"
#include "real/zar/digest.h"

namespace missive::harness {
namespace {

std::string sha256_hex(const std::string& text) {
  return zar::to_hex(zar::sha256(std::as_bytes(std::span(text))));
}

bool within(const std::string& pointer, const std::string& parent) {
  return pointer.starts_with(parent) &&
         (pointer.size() == parent.size() || pointer[parent.size()] == '/');
}

// Applies the command line's changes and remembers which pointers they touched, so that a problem
// is blamed on the option and not on the file.
class Editor {
 public:
  Editor(const JsonSource& source, const Schema& schema)
      : source_(source), schema_(schema), document_(source.document()) {}

  void apply(const Overrides& overrides) {
    apply_profile(overrides.profile);
    if (!overrides.backend.empty()) assign("/backend", overrides.backend, "--backend");
    if (overrides.repetitions)
      for (const char* pointer : {"/repetitions", "/native_repetitions"})
        if (schema_.find(pointer) != nullptr)
          assign(pointer, *overrides.repetitions, "--repetitions");
    if (overrides.seed) assign("/seed", *overrides.seed, "--seed");
    for (const std::string& set : overrides.sets) apply_set(set);
  }

  // Checks the result; problems of the file come with their position in it.
  std::vector<Diagnostic> diagnose() const {
    std::vector<Diagnostic> all = diagnostics_;
    std::vector<Problem> problems = schema_.check(document_);
    for (Problem& problem : sweep_problems()) {
      const bool known = std::any_of(problems.begin(), problems.end(), [&](const Problem& p) {
        return p.pointer == problem.pointer;
      });
      if (!known) problems.push_back(std::move(problem));
    }
    for (const Problem& problem : problems) all.push_back(locate(problem));
    return all;
  }

  const Json& document() const { return document_; }

 private:
  std::vector<Problem> sweep_problems() const {
    return schema_.find("/sweep") == nullptr ? std::vector<Problem>{}
                                             : check_sweep(document_, schema_);
  }

  void apply_profile(const std::string& name) {
    if (name.empty()) return;
    const Json::json_pointer pointer(fmt::format("/profiles/{}", name));
    if (document_.contains(pointer) && document_[pointer].is_object()) {
      const Json patch = document_[pointer];
      profile_ = pointer.to_string();
      // What a profile gives a swept key is meant to count, as with --set.
      const Json leaves = patch.flatten();
      for (const auto& [leaf, value] : leaves.items())
        if (!value.is_null()) fix_in_sweep(document_, leaf, value);
      document_.merge_patch(patch);
      return;
    }
    if (name == "full") return;
    const Json effective = schema_.with_defaults(document_);
    for (const char* key : {"repetitions", "native_repetitions", "processes"}) {
      const auto own = effective.find(key);
      if (own == effective.end() || !own->is_number_unsigned()) continue;
      const auto n = own->get<std::uint64_t>();
      document_[key] = name == "kick" ? std::min<std::uint64_t>(n, 2) : (n + 2) / 3;
    }
  }

  void apply_set(const std::string& set) {
    const std::string option = fmt::format("--set {}", set);
    const auto equals = set.find('=');
    if (equals == std::string::npos || !set.starts_with('/')) {
      diagnostics_.push_back({option, 0, 0, {}, "write POINTER=VALUE, like /temperature=hot"});
      return;
    }
    const std::string pointer = set.substr(0, equals);
    const std::string text = set.substr(equals + 1);
    Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (value.is_discarded()) value = text;
    if (pointer == "/kind") {
      diagnostics_.push_back({option, 0, 0, {}, "another kind has other keys; write another file"});
      return;
    }
    if (schema_.find(pointer) == nullptr) {
      std::string hint = did_you_mean(pointer, schema_.pointers(false));
      if (hint.empty()) hint = "; 'missive-sim schema' lists all keys";
      diagnostics_.push_back(
          {option, 0, 0, {}, fmt::format("'{}' points to nothing{}", pointer, hint)});
      return;
    }
    assign(pointer, std::move(value), option);
  }

  void assign(const std::string& pointer, Json value, const std::string& option) {
    fix_in_sweep(document_, pointer, value);
    Json* target = &document_;
    std::vector<std::string> parts;
    for (Json::json_pointer p(pointer); !p.empty(); p.pop_back()) parts.push_back(p.back());
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (target->is_null()) *target = Json::object();
      if (!target->is_object()) {
        diagnostics_.push_back(
            {option, 0, 0, {}, "reaches into a value that has no keys; set the whole value"});
        return;
      }
      target = &(*target)[*part];
    }
    *target = std::move(value);
    options_.emplace_back(pointer, option);
  }

  Diagnostic locate(const Problem& problem) const {
    for (auto option = options_.rbegin(); option != options_.rend(); ++option)
      if (within(problem.pointer, option->first) || within(option->first, problem.pointer))
        return {option->second, 0, 0, problem.pointer, problem.message};
    if (!profile_.empty()) {
      const std::string in_profile = profile_ + problem.pointer;
      if (source_.document().contains(Json::json_pointer(in_profile)))
        return problem.at_key ? source_.at_key(in_profile, problem.message)
                              : source_.at_value(in_profile, problem.message);
    }
    return problem.at_key ? source_.at_key(problem.pointer, problem.message)
                          : source_.at_value(problem.pointer, problem.message);
  }

  const JsonSource& source_;
  const Schema& schema_;
  Json document_;
  std::string profile_;
  std::vector<std::pair<std::string, std::string>> options_;  // pointer, option that set it
  std::vector<Diagnostic> diagnostics_;
};

Backend read_backend(const std::string& text) {
  return text == "sim" ? Backend::sim : text == "real" ? Backend::real : Backend::both;
}

void read_settings(const Json& effective, Experiment& e) {
  e.name = effective["name"];
  e.description = effective["description"];
  e.kind = effective["kind"];
  e.seed = effective["seed"];
  e.backend = read_backend(effective["backend"]);
  e.require_real = effective["require_real"];
  e.repetitions = effective["repetitions"];
  e.deadline = parse_time(effective["deadline"]);
}

}  // namespace

std::string to_string(Backend backend) {
  switch (backend) {
    case Backend::sim:
      return "sim";
    case Backend::real:
      return "real";
    case Backend::both:
      return "both";
  }
  return "?";
}

std::string point_id(const Json& parameters) {
  // Sorted keys: the identity must not depend on the order in which somebody lists them.
  return sha256_hex(nlohmann::json(parameters).dump()).substr(0, 8);
}

Experiment make_experiment(const JsonSource& source, const Overrides& overrides) {
  const Schema& schema = experiment_schema_for(source.document());
  Editor plain(source, schema);
  auto diagnostics = plain.diagnose();
  // Edits on a document that is not even an object make no sense.
  if (!diagnostics.empty()) throw InputErrors(std::move(diagnostics));
  for (const char* profile : {"kick", "short", "full"}) {  // also those not asked for now
    Editor edited(source, schema);
    Overrides overridden;
    overridden.profile = profile;
    edited.apply(overridden);
    for (Diagnostic& d : edited.diagnose()) diagnostics.push_back(std::move(d));
  }
  if (!diagnostics.empty()) throw InputErrors(std::move(diagnostics));
  Editor editor(source, schema);
  editor.apply(overrides);
  if (diagnostics = editor.diagnose(); !diagnostics.empty())
    throw InputErrors(std::move(diagnostics));

  Experiment e;
  e.file = source.name();
  e.sha256 = sha256_hex(source.text());
  e.named_parameters = overrides.parameters;
  e.effective = schema.with_defaults(editor.document());
  read_settings(e.effective, e);
  experiment_kind(e.kind).read(source, e);
  if (!e.named_parameters.empty())
    named_parameters(e.named_parameters);  // what is wrong with it is said now
  return e;
}

Experiment load_experiment(const std::filesystem::path& file, const Overrides& overrides) {
  return make_experiment(JsonSource::read(file), overrides);
}

}  // namespace missive::harness
