// The verbs `validate` and `schema`: files, checked and described, with nothing run.

#include <memory>

#include <fmt/format.h>

#include "harness/diagnostic.h"
#include "harness/experiment.h"
#include "harness/schema.h"
#include "harness/verb_list.h"
#include "models/parameter.h"

namespace missive::harness {
namespace {

ExitStatus validate(const std::vector<std::string>& files, Terminal& terminal) {
  std::vector<Diagnostic> all;
  for (const std::string& file : files) {
    try {
      const JsonSource source = JsonSource::read(file);
      const Json& document = source.document();
      const bool parameters = document.is_object() && document.contains("format") &&
                              document["format"] == "missive-sim/parameters/1";
      if (parameters) {
        const auto set = ParameterSet::from_json(nlohmann::json(document), file);
        terminal.out << fmt::format("{}: {} parameters\n", file, set.all().size());
      } else {
        const Experiment e = make_experiment(source);
        terminal.out << fmt::format("{}: experiment '{}', {} points\n", file, e.name,
                                    e.grid.size());
      }
    } catch (const InputErrors& e) {
      all.insert(all.end(), e.diagnostics().begin(), e.diagnostics().end());
    } catch (const InputError& e) {
      all.push_back({{}, 0, 0, {}, e.what()});
    }
  }
  if (!all.empty()) throw InputErrors(std::move(all));
  return ExitStatus::ok;
}

}  // namespace

void add_validate_verb(Verb& program) {
  Verb& verb = program.add("validate", "check experiment and parameter files, run nothing");
  auto files = std::make_shared<std::vector<std::string>>();
  verb.option("FILE", *files, "files to check", {.required = true});
  verb.action = [files](Terminal& terminal) { return validate(*files, terminal); };
}

void add_schema_verb(Verb& program) {
  Verb& verb = program.add("schema", "print the JSON Schema of experiment files");
  verb.action = [](Terminal& terminal) {
    terminal.out << experiment_schema_document().dump(2) << '\n';
    return ExitStatus::ok;
  };
}

}  // namespace missive::harness
