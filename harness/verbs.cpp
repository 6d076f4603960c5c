#include <algorithm>

#include "harness/verb_list.h"

namespace missive::harness {

namespace {

const char* const kHelpFooter = R"(
Examples:
  missive-sim experiments/launch.json                     predict and measure, side by side
  missive-sim experiments/launch.json --backend sim       predict only
  missive-sim experiments/isolation-table.json            ways to isolate services, compared
  missive-sim run FILE --set /temperature=hot --profile kick
  missive-sim show FILE                                   the file with all defaults resolved
  missive-sim doctor                                      what this host can run

Exit status:
  0    done, and within tolerance
  1    a run failed; what was done is in the output folder
  2    wrong usage or a wrong input file; one line for each problem
  3    a tolerance or a claim does not hold
  4    cannot be judged on this host
  130  interrupted; what was done is in the output folder
)";

}  // namespace

void add_all_verbs(Verb& program) {
  program.footer = kHelpFooter;
  add_run_verb(program);
  add_show_verb(program);
  add_doctor_verb(program);
  add_calibrate_verb(program);
  add_validate_verb(program);
  add_parameters_verb(program);
  add_schema_verb(program);
  add_report_verb(program);
  add_merge_verb(program);
  add_compare_verb(program);
  add_help_verb(program);
  add_man_verb(program);
  add_completion_verb(program);
  add_zar_verb(program);
  add_cache_verb(program);
  add_trace_verb(program);
  add_domains_verb(program);
  add_claims_verb(program);
  add_reproduce_verb(program);
}

Verb& Verb::add(const std::string& its_name, const std::string& does) {
  return verbs.emplace_back(its_name, does);
}

void Verb::option(const std::string& its_name, OptionValue value, const std::string& does,
                  const OptionRules& rules) {
  options.push_back({its_name, value, does, rules});
}

const Verb* Verb::find_verb(const std::string& wanted) const {
  const auto found = std::find_if(verbs.begin(), verbs.end(),
                                  [&](const Verb& verb) { return verb.name == wanted; });
  return found == verbs.end() ? nullptr : &*found;
}

const Option* Verb::find_option(const std::string& wanted) const {
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const Option& option) { return option.name == wanted; });
  return found == options.end() ? nullptr : &*found;
}

void add_format(Verb& verb, std::string& format) {
  verb.option("--format", format, "what goes to stdout: table, json or csv",
              {.one_of = {"table", "json", "csv"}, .default_text = "table"});
}

Progress progress_for(const Terminal& terminal, bool quiet) {
  return Progress(terminal.err, terminal.progress && !quiet, terminal.colour);
}

}  // namespace missive::harness
