#include "harness/commands.h"

#include <filesystem>

#include <fmt/format.h>

#include "harness/context.h"
#include "harness/isolation_run.h"
#include "harness/isolation_table.h"
#include "harness/launch_calibrate.h"
#include "harness/launch_run.h"
#include "harness/output_dir.h"
#include "harness/published_files.h"
#include "harness/result_files.h"
#include "harness/result_table.h"
#include "harness/schema.h"
#include "harness/table.h"
#include "models/nearest.h"
#include "real/data_dir.h"
#include "real/process.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

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
  const std::string more = e.isolation ? fmt::format("{} processes", e.isolation->processes)
                                       : fmt::format("{} native", e.native_repetitions);
  out << fmt::format("{}: {} points, backend {}, {} repetitions, {}, seed {}\n", e.name, all.size(),
                     to_string(e.backend), e.repetitions, more, e.seed)
      << table.text("  ");
}

void print_result(const Result& result, const Experiment& e, const std::string& format,
                  std::ostream& out) {
  if (format == "json")
    out << to_json(result).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  else if (format == "csv")
    out << observations_csv(result);
  else if (e.isolation)
    out << isolation_table(result, e, load_published());
  else
    out << result_table(result, e);
}

std::string significant(double value) { return fmt::format("{:.4g}", value); }

void print_parameters(const ParameterSet& set, const std::string& format, std::ostream& out) {
  if (format == "json") {
    out << set.to_json().dump(2) << '\n';
    return;
  }
  if (format == "csv") {
    out << "name,value,unit,low,high,provenance,date\n";
    for (const auto& [name, p] : set.all())
      out << fmt::format("{},{},{},{},{},{},{}\n", name, round_trip(p.value), p.unit,
                         round_trip(p.low), round_trip(p.high), missive::to_string(p.provenance),
                         p.date);
    return;
  }
  Table table({"parameter", "value", "95 % interval", "unit", "provenance"});
  for (const auto& [name, p] : set.all())
    table.add({name, significant(p.value),
               p.low == p.high ? std::string("-")
                               : fmt::format("[{}, {}]", significant(p.low), significant(p.high)),
               p.unit, missive::to_string(p.provenance)});
  out << table.text();
}

Progress progress_for(const Terminal& terminal, bool quiet) {
  return Progress(terminal.err, terminal.progress && !quiet, terminal.colour);
}

}  // namespace

ExitStatus run_command(const RunCommand& command, Terminal& terminal) {
  const Experiment e = load_experiment(command.file, command.overrides);
  if (command.dry_run) {
    print_points(e, command.format, terminal.out);
    return ExitStatus::ok;
  }
  const OutputDir out(command.out.empty() ? fs::path("results") / e.name : fs::path(command.out));
  Json context = host_context();
  context["mechanisms"] = mechanisms(doctor_entries());
  const auto complete = [&](Result result) {
    if (result.context.empty()) result.context = context;
    return result;
  };
  auto progress = progress_for(terminal, command.quiet);
  install_interrupt_handler();
  RunOptions options;
  options.out = out.path();
  options.jobs = command.jobs;
  options.progress = &progress;
  options.checkpoint = [&](const Result& partial) { write_files(complete(partial), out); };
  const Result result = complete(e.isolation ? run_isolation(e, options) : run_launch(e, options));
  write_files(result, out);
  progress.note(fmt::format("results in {}", out.path().string()));
  print_result(result, e, command.format, terminal.out);
  return exit_status(result, e);
}

ExitStatus show_command(const RunCommand& command, Terminal& terminal) {
  const Experiment e = load_experiment(command.file, command.overrides);
  terminal.out << e.effective.dump(2) << '\n';
  return ExitStatus::ok;
}

ExitStatus doctor_command(bool json, Terminal& terminal) {
  const auto entries = doctor_entries();
  if (json) {
    Json list = Json::array();
    for (const DoctorEntry& entry : entries)
      list.push_back(Json{{"group", entry.group},
                          {"name", entry.name},
                          {"available", entry.available},
                          {"detail", entry.detail}});
    Json context = host_context();
    context["mechanisms"] = mechanisms(entries);
    terminal.out << Json{{"context", context}, {"entries", list}}.dump(
                        2, ' ', false, Json::error_handler_t::replace)
                 << '\n';
    return ExitStatus::ok;
  }
  Table table({"what", "name", "here", "detail"});
  table.align_left(4);
  for (const DoctorEntry& entry : entries)
    table.add({entry.group, entry.name, entry.available ? "yes" : "NO", entry.detail});
  terminal.out << table.text();
  return ExitStatus::ok;
}

ExitStatus calibrate_command(const CalibrateCommand& command, Terminal& terminal) {
  auto progress = progress_for(terminal, command.quiet);
  install_interrupt_handler();
  CalibrateOptions options;
  options.processes = command.processes;
  options.repetitions = command.repetitions;
  options.seed = command.seed;
  options.progress = [&](const std::string& what) { progress.update(0, 0, what); };
  const ParameterSet set = calibrate_host(options);
  if (command.out.empty())
    save_host_parameters(set);
  else
    write_atomically(command.out, set.to_json().dump(2) + '\n');
  progress.note(fmt::format("parameters in {}",
                            command.out.empty() ? host_parameters_file().string() : command.out));
  print_parameters(set, command.format, terminal.out);
  return ExitStatus::ok;
}

ExitStatus validate_command(const std::vector<std::string>& files, Terminal& terminal) {
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
                                    empty_result(e).points.size());
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

ExitStatus parameters_command(const std::string& file, const std::string& format,
                              Terminal& terminal) {
  const fs::path path = file.empty() ? host_parameters_file() : fs::path(file);
  if (file.empty() && !fs::exists(path))
    throw NotAvailable("this host has no parameters yet; run 'missive-sim calibrate'");
  const JsonSource source = JsonSource::read(path);
  print_parameters(ParameterSet::from_json(nlohmann::json(source.document()), path.string()),
                   format, terminal.out);
  return ExitStatus::ok;
}

ExitStatus published_command(const std::string& filter, const std::string& format,
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

ExitStatus schema_command(Terminal& terminal) {
  terminal.out << experiment_schema_document().dump(2) << '\n';
  return ExitStatus::ok;
}

}  // namespace missive::harness
