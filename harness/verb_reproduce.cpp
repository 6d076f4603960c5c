// The verb `reproduce`: runs what the claims need and gives each a verdict.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/claim_text.h"
#include "harness/context.h"
#include "harness/reproduce.h"
#include "harness/table.h"
#include "harness/verb_list.h"
#include "real/process.h"

namespace missive::harness {
namespace {

struct ReproduceCommand {
  ReproduceOptions options;
  std::string out = "results/reproduce", format = "table";
  bool list = false, quiet = false;
};

std::string minutes_text(double minutes) {
  if (minutes < 1) return fmt::format("{:.0f} s", minutes * 60);
  return minutes < 90 ? fmt::format("{:.0f} min", minutes) : fmt::format("{:.1f} h", minutes / 60);
}

void list_experiments(const std::vector<ClaimExperiment>& experiments,
                      const std::vector<Claim>& selected, std::ostream& out) {
  Table table({"", "experiment", "claims", "kick", "short", "full"});
  table.align_left(3);
  table.rule();
  for (const ClaimExperiment& e : experiments) {
    std::size_t n = 0;
    for (const Claim& c : selected) n += c.judged() && c.experiment == e.name;
    table.add({e.id, e.name, fmt::format("{} claims", n),
               minutes_text(e.profiles.at("kick").minutes),
               minutes_text(e.profiles.at("short").minutes),
               minutes_text(e.profiles.at("full").minutes)});
  }
  std::size_t closed = 0, without = 0;
  for (const Claim& c : selected) {
    closed += c.judged() && c.experiment.empty();
    without += !c.judged();
  }
  out << table.text("  ")
      << fmt::format("  {} more claims are closed forms; {} have no experiment here\n", closed,
                     without);
  for (const ClaimExperiment& e : experiments)
    for (const auto& [profile, run] : e.profiles)
      if (!run.scaled.empty())
        out << fmt::format("  {} in profile {}: {}\n", e.name, profile, run.scaled);
}

void list(const ClaimsFile& claims, const ReproduceCommand& command, std::ostream& out) {
  const std::vector<Claim> selected = select_claims(claims, command.options.claims);
  if (command.format == "json") {
    Json all = Json::array();
    for (const Claim& c : selected)
      all.push_back(Json{{"id", c.id},
                         {"statement", c.statement},
                         {"experiment", c.experiment.empty() ? Json() : Json(c.experiment)},
                         {"needs", c.needs},
                         {"judged", c.judged()},
                         {"expected", expectation(c)}});
    out << all.dump(2) << '\n';
    return;
  }
  list_experiments(needed_experiments(claims, selected), selected, out);
}

ExitStatus run(const ReproduceCommand& command, Terminal& terminal) {
  const ClaimsFile claims = load_claims();
  if (command.list) {
    list(claims, command, terminal.out);
    return ExitStatus::ok;
  }
  const auto selected = select_claims(claims, command.options.claims);
  const auto experiments = needed_experiments(claims, selected);
  const OutputDir out(command.out);
  const bool table = command.format == "table";
  if (table)
    terminal.out << fmt::format(
                        "{} claims, {} experiments, profile {}: about {} on two cores (and what a "
                        "first run has to prepare)\n",
                        selected.size(), experiments.size(), command.options.profile,
                        minutes_text(expected_minutes(experiments, command.options.profile)))
                 << std::flush;
  auto progress = progress_for(terminal, command.quiet);
  install_interrupt_handler();
  ReproduceOptions options = command.options;
  options.progress = &progress;
  const Reproduction r = reproduce(claims, options, out);
  if (command.format == "json")
    terminal.out << verdicts_json(claims, r.verdicts, host_context()).dump(2) << '\n';
  else if (command.format == "csv")
    terminal.out << claims_csv(claims, r.verdicts);
  else
    terminal.out << '\n' << claims_table(claims, r.verdicts) << '\n';
  if (!table) return exit_status(claims, r);
  double seconds = 0;
  for (const ReproducedExperiment& e : r.experiments) {
    if (!e.message.empty())
      terminal.out << fmt::format("  {} did not finish: {}\n", e.name, e.message);
    if (!e.kept) seconds += e.seconds;
  }
  terminal.out << fmt::format(
      "  {}\n  took {}; verdicts.json, claims.md, claims.csv, appendix.md "
      "in {}\n",
      verdict_counts(r.verdicts), minutes_text(seconds / 60), out.path().string());
  if (r.interrupted)
    terminal.out << "  INTERRUPTED: go on with --resume, and the same profile and folder\n";
  return exit_status(claims, r);
}

}  // namespace

void add_reproduce_verb(Verb& program) {
  auto command = std::make_shared<ReproduceCommand>();
  Verb& verb = program.add("reproduce", "run what the claims need and give each a verdict");
  ReproduceOptions& o = command->options;
  verb.option("CLAIM", o.claims, "claims to judge, C7 C12 ... (default: all)");
  verb.option("--profile", o.profile, "how much: kick (5 min), short (below an hour) or full",
              {.one_of = {"kick", "short", "full"}, .default_text = "short"});
  verb.option("--list", command->list, "what would run, how long it takes, what is scaled down");
  verb.option("--resume", o.resume, "keep the experiments that were finished before");
  verb.option("--out", command->out, "folder for results and verdicts",
              {.default_text = "results/reproduce"});
  add_format(verb, command->format);
  verb.option("--quiet", command->quiet, "no progress, no notes");
  verb.footer =
      "\nExit status: 0 every claim that can be judged holds; 1 an experiment failed; 3 a claim "
      "does not\nhold; 4 some could not be judged here, or are inconclusive; 130 interrupted, go "
      "on "
      "with --resume.\n";
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

}  // namespace missive::harness
