#include "harness/verb_list.h"

namespace missive::harness {

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

void add_all_verbs(Verbs& verbs) {
  add_run_verb(verbs);
  add_show_verb(verbs);
  add_doctor_verb(verbs);
  add_calibrate_verb(verbs);
  add_validate_verb(verbs);
  add_parameters_verb(verbs);
  add_schema_verb(verbs);
  add_report_verb(verbs);
  add_merge_verb(verbs);
  add_compare_verb(verbs);
  add_help_verb(verbs);
  add_man_verb(verbs);
  add_completion_verb(verbs);
  add_zar_verb(verbs);
  add_cache_verb(verbs);
  add_trace_verb(verbs);
  add_domains_verb(verbs);
  add_claims_verb(verbs);
  add_reproduce_verb(verbs);
}

CLI::App* Verbs::add(const std::string& name, const std::string& what) {
  return add(&app_, name, what);
}

CLI::App* Verbs::add(CLI::App* parent, const std::string& name, const std::string& what) {
  CLI::App* verb = parent->add_subcommand(name, what);
  verb->allow_extras();  // refused by cli.cpp, with a suggestion
  return verb;
}

void Verbs::act(CLI::App* verb, Action action) {
  verb->callback([this, action = std::move(action)] { chosen_ = action; });
}

CLI::Option* add_format(CLI::App* verb, std::string& format) {
  return verb->add_option("--format", format, "what goes to stdout: table, json or csv")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->default_str("table");
}

Progress progress_for(const Terminal& terminal, bool quiet) {
  return Progress(terminal.err, terminal.progress && !quiet, terminal.colour);
}

}  // namespace missive::harness
