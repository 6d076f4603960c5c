// The verb `calibrate`: this host's parameters, by micro-measurements.

#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/launch_calibrate.h"
#include "harness/output_dir.h"
#include "harness/parameter_text.h"
#include "harness/verb_list.h"
#include "real/process.h"

namespace missive::harness {
namespace {

struct CalibrateCommand {
  int processes = 6, repetitions = 3;
  std::uint64_t seed = 1;
  std::string out;  // "": the host's own file
  std::string format = "table";
  bool quiet = false;
};

ExitStatus calibrate(const CalibrateCommand& command, Terminal& terminal) {
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
  terminal.out << parameter_text(set, command.format);
  return ExitStatus::ok;
}

}  // namespace

void add_calibrate_verb(Verbs& verbs) {
  CLI::App* verb = verbs.add("calibrate", "measure this host's parameters by micro-measurements");
  auto command = std::make_shared<CalibrateCommand>();
  verb->add_option("--processes", command->processes, "processes that measure, one after another")
      ->check(CLI::Range(1, 1000));
  verb->add_option("--repetitions", command->repetitions,
                   "of every micro-measurement in each process")
      ->check(CLI::Range(1, 100000));
  verb->add_option("--seed", command->seed, "order and bootstrap");
  verb->add_option("--out", command->out, "file to write (default: this host's own)");
  add_format(verb, command->format);
  verb->add_flag("--quiet", command->quiet, "no progress, no notes");
  verbs.act(verb, [command](Terminal& terminal) { return calibrate(*command, terminal); });
}

}  // namespace missive::harness
