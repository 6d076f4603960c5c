// The verb `parameters`: what the cost models use, and what others published.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/isolation_calibrate.h"
#include "harness/json_source.h"
#include "harness/launch_calibrate.h"
#include "harness/parameter_text.h"
#include "harness/published_files.h"
#include "harness/verb_list.h"
#include "models/nearest.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

struct ParametersCommand {
  std::string file;  // "": this host's; with `published` a word to look for
  std::string format = "table";
  bool published = false, isolation = false;
};

ExitStatus print_parameters(const ParametersCommand& command, Terminal& terminal) {
  const bool own = command.file.empty();
  const fs::path path = !own                ? fs::path(command.file)
                        : command.isolation ? isolation_parameters_file()
                                            : host_parameters_file();
  if (own && !fs::exists(path))
    throw NotAvailable(fmt::format("this host has no parameters yet; run 'missive-sim calibrate{}'",
                                   command.isolation ? " --isolation" : ""));
  const JsonSource source = JsonSource::read(path);
  terminal.out << parameter_text(
      ParameterSet::from_json(nlohmann::json(source.document()), path.string()), command.format);
  return ExitStatus::ok;
}

// Published values in whose mechanism, quantity or source `filter` occurs; "" is all of them.
ExitStatus print_published(const std::string& filter, const std::string& format,
                           Terminal& terminal) {
  const PublishedCatalogue catalogue = load_published();
  const auto found = catalogue.matching(filter);
  if (found.empty()) {
    std::vector<std::string> names;
    for (const PublishedValue& v : catalogue.all()) names.push_back(v.mechanism);
    std::string hint = did_you_mean(filter, names);
    if (hint.empty()) hint = "; without a word, all of them are listed";
    throw InputError(fmt::format("--published {}: nothing of that name{}", filter, hint));
  }
  terminal.out << published_text(found, format);
  return ExitStatus::ok;
}

}  // namespace

void add_parameters_verb(Verb& program) {
  Verb& verb = program.add("parameters", "print parameters with value, interval and provenance");
  auto command = std::make_shared<ParametersCommand>();
  verb.option("FILE", command->file,
              "parameter file (default: this host's); with --published a word to look for");
  verb.option("--isolation", command->isolation,
              "this host's primitives of isolated domains, instead of those of launches");
  verb.option("--published", command->published, "print what others published, with the sources",
              {.excludes = "--isolation"});
  add_format(verb, command->format);
  verb.action = [command](Terminal& terminal) {
    return command->published ? print_published(command->file, command->format, terminal)
                              : print_parameters(*command, terminal);
  };
}

}  // namespace missive::harness
