// The verb `parameters`: what the cost models use, and what others published.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/json_source.h"
#include "harness/launch_calibrate.h"
#include "harness/parameter_text.h"
#include "harness/published_files.h"
#include "harness/verb_list.h"
#include "models/nearest.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

ExitStatus print_parameters(const std::string& file, const std::string& format,
                            Terminal& terminal) {
  const fs::path path = file.empty() ? host_parameters_file() : fs::path(file);
  if (file.empty() && !fs::exists(path))
    throw NotAvailable("this host has no parameters yet; run 'missive-sim calibrate'");
  const JsonSource source = JsonSource::read(path);
  terminal.out << parameter_text(
      ParameterSet::from_json(nlohmann::json(source.document()), path.string()), format);
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

void add_parameters_verb(Verbs& verbs) {
  CLI::App* verb = verbs.add("parameters", "print parameters with value, interval and provenance");
  auto file = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("table");
  auto published = std::make_shared<bool>(false);
  verb->add_option("FILE", *file,
                   "parameter file (default: this host's); with --published a word to look for");
  verb->add_flag("--published", *published, "print what others published, with the sources");
  add_format(verb, *format);
  verbs.act(verb, [file, format, published](Terminal& terminal) {
    return *published ? print_published(*file, *format, terminal)
                      : print_parameters(*file, *format, terminal);
  });
}

}  // namespace missive::harness
