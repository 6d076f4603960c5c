// The verbs `run` and `show`: an experiment file, and what becomes of it.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/claim_judge.h"
#include "harness/context.h"
#include "harness/experiment_kind.h"
#include "harness/output_dir.h"
#include "harness/parameter_source.h"
#include "harness/result_files.h"
#include "harness/resume.h"
#include "harness/run_output.h"
#include "harness/shard.h"
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
  std::string shard;
  int jobs = 1;
  bool quiet = false, dry_run = false, resume = false;
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

ExitStatus run(const RunCommand& command, Terminal& terminal) {
  Experiment e = load_experiment(command.file, command.overrides);
  if (!command.shard.empty()) keep_shard(e, parse_shard(command.shard));
  if (command.dry_run) {
    print_points(e, command.format, terminal.out);
    return ExitStatus::ok;
  }
  install_interrupt_handler();  // what is tried out below makes directories and control groups
  const ClaimsFile claims = load_claims();
  const OutputDir out(command.out.empty() ? fs::path("results") / e.name : fs::path(command.out));
  Json context = host_context();
  context["mechanisms"] = mechanisms(doctor_entries());
  if (!e.named_parameters.empty())
    context["parameters_sha256"] = parameters_digest(named_parameters(e.named_parameters));
  const auto complete = [&](Result result) {
    Json all = context;
    all.update(result.context);  // what the run itself knows: the simulator's settings
    result.context = std::move(all);
    result.claims = claims_json(claims, to_json(result));
    return result;
  };
  auto progress = progress_for(terminal, command.quiet);
  RunOptions options;
  options.out = out.path();
  options.jobs = command.jobs;
  options.progress = &progress;
  // Whoever finds it after the program was killed must not take it for the whole.
  options.checkpoint = [&](Result partial) {
    partial.summary.interrupted = true;
    write_files(complete(std::move(partial)), out);
  };
  const bool in_parts = !command.shard.empty() || command.resume;
  options.part = in_parts;
  if (in_parts && e.backend == Backend::sim) options.checkpoint = nullptr;  // it has its points
  const Result result =
      complete(in_parts ? run_resumable(e, out, {command.resume, options, context})
                        : experiment_kind(e.kind).run(e, options));
  write_files(result, out);
  if (in_parts && !result.summary.interrupted) remove_points(out);
  progress.note(fmt::format("results in {}", out.path().string()));
  print_result(result, e, claims, out.path(), command.format, terminal.out);
  return exit_status(result, e);
}

// What `run` and `show` have in common: the file and what the command line changes in it.
void add_overrides(Verb& verb, RunCommand& command) {
  Overrides& o = command.overrides;
  verb.option("EXPERIMENT", command.file, "experiment file (JSON; *.jsonc may have comments)",
              {.required = true});
  verb.option("--set", o.sets,
              "POINTER=VALUE: give a key another value before the sweep; a swept key is "
              "fixed (repeatable)",
              {.one_value_each = true});
  verb.option("--profile", o.profile, "how much of it: kick (a first look), short or full",
              {.one_of = {"kick", "short", "full"}});
  verb.option("--backend", o.backend, "who answers: sim, real or both",
              {.one_of = {"sim", "real", "both"}});
  verb.option("--repetitions", o.repetitions,
              "real launches per point and native starts, or values per cell and process, "
              "whatever the file says");
  verb.option("--seed", o.seed, "start of all random numbers");
  verb.option("--parameters", o.parameters,
              "FILE of parameters for the simulation, or 'reference': the shipped ones; "
              "nothing is calibrated then (default: this host's)");
}

}  // namespace

void add_run_verb(Verb& program) {
  auto command = std::make_shared<RunCommand>();
  Verb& verb = program.add("run", "run an experiment (the default: the word may be left out)");
  add_overrides(verb, *command);
  verb.option("--out", command->out,
              "folder for report.html, result.json, observations.csv, trace.json "
              "(default: results/NAME)");
  verb.option("--jobs", command->jobs,
              "simulated points at a time; real launches never overlap, they would "
              "disturb each other",
              {.between = {{1, 1024}}, .default_text = "1"});
  add_format(verb, command->format);
  verb.option("--shard", command->shard,
              "I/N: only every N-th point, beginning with the I-th (from 1); 'missive-sim "
              "merge' makes one result of all shards");
  verb.option("--resume", command->resume,
              "go on with a run that was stopped: simulated points that are finished in --out "
              "are not run again (real measurements begin anew)");
  verb.option("--quiet", command->quiet, "no progress, no notes");
  verb.option("--dry-run", command->dry_run, "check everything, list the points, run nothing");
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

void add_show_verb(Verb& program) {
  auto command = std::make_shared<RunCommand>();
  Verb& verb = program.add(
      "show", "print the experiment file with profile, --set and all defaults resolved");
  add_overrides(verb, *command);
  verb.action = [command](Terminal& terminal) {
    const Experiment e = load_experiment(command->file, command->overrides);
    terminal.out << e.effective.dump(2) << '\n';
    return ExitStatus::ok;
  };
}

}  // namespace missive::harness
