// The verbs `run` and `show`: an experiment file, and what becomes of it.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/claim_judge.h"
#include "harness/claim_text.h"
#include "harness/context.h"
#include "harness/experiment_kind.h"
#include "harness/output_dir.h"
#include "harness/result_files.h"
#include "harness/table.h"
#include "harness/verb_list.h"
#include "real/process.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

struct RunCommand {
  std::string file;
  Overrides overrides;
  std::string out;  // "": results/NAME
  std::string format = "table";
  int jobs = 1;
  bool quiet = false, dry_run = false;
};

void print_points(const Experiment& e, const std::string& format, std::ostream& out) {
  const std::vector<PointResult> all = empty_result(e).points;
  if (format == "json") {
    Json points = Json::array();
    for (const PointResult& p : all)
      points.push_back(Json{{"id", p.id}, {"label", p.label}, {"parameters", p.parameters}});
    out << points.dump(2) << '\n';
    return;
  }
  if (format == "csv") {
    out << "point,label\n";
    for (const PointResult& p : all) out << p.id << ',' << p.label << '\n';
    return;
  }
  Table table({"point", "values"});
  table.align_left(2);
  for (const PointResult& p : all) table.add({p.id, p.label});
  out << fmt::format("{}: {} points, backend {}, {} repetitions, seed {}\n", e.name, all.size(),
                     to_string(e.backend), e.repetitions, e.seed)
      << table.text("  ");
}

void print_result(const Result& result, const Experiment& e, const ClaimsFile& claims,
                  const fs::path& folder, const std::string& format, std::ostream& out) {
  if (format == "json")
    out << to_json(result).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  else if (format == "csv")
    out << observations_csv(result);
  else
    out << experiment_kind(e.kind).table(result, e);
  if (format != "table") return;
  const auto verdicts = judge_all(claims, to_json(result));
  if (!verdicts.empty())
    out << '\n' << claims_table(claims, verdicts) << "  " << verdict_counts(verdicts) << '\n';
  out << fmt::format("report    {}\n", (folder / "report.html").string());
}

ExitStatus run(const RunCommand& command, Terminal& terminal) {
  const Experiment e = load_experiment(command.file, command.overrides);
  if (command.dry_run) {
    print_points(e, command.format, terminal.out);
    return ExitStatus::ok;
  }
  const ClaimsFile claims = load_claims();
  const OutputDir out(command.out.empty() ? fs::path("results") / e.name : fs::path(command.out));
  Json context = host_context();
  context["mechanisms"] = mechanisms(doctor_entries());
  const auto complete = [&](Result result) {
    Json all = context;
    all.update(result.context);  // what the run itself knows: the simulator's settings
    result.context = std::move(all);
    result.claims = claims_json(claims, to_json(result));
    return result;
  };
  auto progress = progress_for(terminal, command.quiet);
  install_interrupt_handler();
  RunOptions options;
  options.out = out.path();
  options.jobs = command.jobs;
  options.progress = &progress;
  options.checkpoint = [&](const Result& partial) { write_files(complete(partial), out); };
  const Result result = complete(experiment_kind(e.kind).run(e, options));
  write_files(result, out);
  progress.note(fmt::format("results in {}", out.path().string()));
  print_result(result, e, claims, out.path(), command.format, terminal.out);
  return exit_status(result, e);
}

// What `run` and `show` have in common: the file and what the command line changes in it.
void add_overrides(CLI::App* verb, RunCommand& command) {
  Overrides& o = command.overrides;
  verb->add_option("EXPERIMENT", command.file, "experiment file (JSON; *.jsonc may have comments)")
      ->required();
  verb->add_option("--set", o.sets,
                   "POINTER=VALUE: give a key another value before the sweep; a swept key is "
                   "fixed (repeatable)")
      ->allow_extra_args(false);
  verb->add_option("--profile", o.profile, "how much of it: kick (a first look), short or full")
      ->check(CLI::IsMember({"kick", "short", "full"}));
  verb->add_option("--backend", o.backend, "who answers: sim, real or both")
      ->check(CLI::IsMember({"sim", "real", "both"}));
  verb->add_option("--repetitions", o.repetitions,
                   "real launches per point and native starts, or values per cell and process, "
                   "whatever the file says");
  verb->add_option("--seed", o.seed, "start of all random numbers");
  verb->add_option("--parameters", o.parameters,
                   "FILE of parameters for the simulation, or 'reference': the shipped ones; "
                   "nothing is calibrated then (default: this host's)");
}

}  // namespace

void add_run_verb(Verbs& verbs) {
  auto command = std::make_shared<RunCommand>();
  CLI::App* verb = verbs.add("run", "run an experiment (the default: the word may be left out)");
  add_overrides(verb, *command);
  verb->add_option("--out", command->out,
                   "folder for report.html, result.json, observations.csv, trace.json "
                   "(default: results/NAME)");
  verb->add_option("--jobs", command->jobs,
                   "simulated points at a time; real launches never overlap, they would "
                   "disturb each other")
      ->check(CLI::Range(1, 1024))
      ->default_str("1");
  add_format(verb, command->format);
  verb->add_flag("--quiet", command->quiet, "no progress, no notes");
  verb->add_flag("--dry-run", command->dry_run, "check everything, list the points, run nothing");
  verb->footer(kHelpFooter);
  verbs.act(verb, [command](Terminal& terminal) { return run(*command, terminal); });
}

void add_show_verb(Verbs& verbs) {
  auto command = std::make_shared<RunCommand>();
  CLI::App* verb =
      verbs.add("show", "print the experiment file with profile, --set and all defaults resolved");
  add_overrides(verb, *command);
  verbs.act(verb, [command](Terminal& terminal) {
    const Experiment e = load_experiment(command->file, command->overrides);
    terminal.out << e.effective.dump(2) << '\n';
    return ExitStatus::ok;
  });
}

}  // namespace missive::harness
