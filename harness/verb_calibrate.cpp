// The verb `calibrate`: this host's parameters, by micro-measurements.

#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/isolation_calibrate.h"
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
  bool isolation = false;
};

// What there is to calibrate, and where it is kept.
struct Subject {
  ParameterSet (*calibrate)(const CalibrateOptions&);
  void (*save)(const ParameterSet&);
  std::filesystem::path (*file)();
};
constexpr Subject kLaunch{calibrate_host, save_host_parameters, host_parameters_file};
constexpr Subject kIsolation{calibrate_isolation, save_isolation_parameters,
                             isolation_parameters_file};

ExitStatus calibrate(const CalibrateCommand& command, Terminal& terminal) {
  auto progress = progress_for(terminal, command.quiet);
  install_interrupt_handler();
  CalibrateOptions options;
  options.processes = command.processes;
  options.repetitions = command.repetitions;
  options.seed = command.seed;
  options.progress = [&](const std::string& what) { progress.update(0, 0, what); };
  const Subject& subject = command.isolation ? kIsolation : kLaunch;
  const ParameterSet set = subject.calibrate(options);
  if (command.out.empty())
    subject.save(set);
  else
    write_atomically(command.out, set.to_json().dump(2) + '\n');
  progress.note(
      fmt::format("parameters in {}", command.out.empty() ? subject.file().string() : command.out));
  terminal.out << parameter_text(set, command.format);
  return ExitStatus::ok;
}

}  // namespace

void add_calibrate_verb(Verb& program) {
  Verb& verb = program.add("calibrate", "measure this host's parameters by micro-measurements");
  auto command = std::make_shared<CalibrateCommand>();
  verb.option("--isolation", command->isolation,
              "the primitives of isolated domains, instead of those of launches");
  verb.option("--processes", command->processes, "processes that measure, one after another",
              {.between = {{1, 1000}}});
  verb.option("--repetitions", command->repetitions, "of every micro-measurement in each process",
              {.between = {{1, 100000}}});
  verb.option("--seed", command->seed, "order and bootstrap");
  verb.option("--out", command->out, "file to write (default: this host's own)");
  add_format(verb, command->format);
  verb.option("--quiet", command->quiet, "no progress, no notes");
  verb.action = [command](Terminal& terminal) { return calibrate(*command, terminal); };
}

}  // namespace missive::harness
