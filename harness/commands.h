#pragma once
// The verbs of the command line, each a function of its options. They write results to `out`, talk
// to the user through `progress` and throw for everything that goes wrong.

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "harness/experiment.h"
#include "harness/progress.h"
#include "models/error.h"

namespace missive::harness {

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool progress = false, colour = false;  // what `err` can and may do
};

struct RunCommand {
  std::string file;
  Overrides overrides;
  std::string out;  // "": results/NAME
  std::string format = "table";
  int jobs = 1;
  bool quiet = false, dry_run = false;
};

struct CalibrateCommand {
  int processes = 6, repetitions = 3;
  std::uint64_t seed = 1;
  std::string out;  // "": the host's own file
  std::string format = "table";
  bool quiet = false;
};

ExitStatus run_command(const RunCommand& command, Terminal& terminal);
ExitStatus show_command(const RunCommand& command, Terminal& terminal);
ExitStatus doctor_command(bool json, Terminal& terminal);
ExitStatus calibrate_command(const CalibrateCommand& command, Terminal& terminal);
ExitStatus validate_command(const std::vector<std::string>& files, Terminal& terminal);
ExitStatus parameters_command(const std::string& file, const std::string& format,
                              Terminal& terminal);
// Published values in whose mechanism, quantity or source `filter` occurs; "" is all of them.
ExitStatus published_command(const std::string& filter, const std::string& format,
                             Terminal& terminal);
ExitStatus schema_command(Terminal& terminal);

struct TraceCommand {
  std::string what;    // registered application, or a trace file
  std::string record;  // "": print only; else where the new trace goes
  bool json = false;
};
ExitStatus trace_command(const TraceCommand& command, Terminal& terminal);

// Isolation mechanisms: name, whether they run here or why not, what they claim to contain.
ExitStatus domains_list_command(const std::string& format, Terminal& terminal);
struct DomainsRunCommand {
  std::string name, entry = "hash", size = "4KiB";
  std::string format = "table";
  int calls = 1000;
};
// Creates one domain, checks its reply against the native service's, and says what it took.
ExitStatus domains_run_command(const DomainsRunCommand& command, Terminal& terminal);

struct ZarBuildCommand {
  std::string tree, image;
  std::string application;  // "": every file of the tree; else what its recorded start opens
  std::string block_size = "64KiB";
  std::uint32_t degree = 128;
  bool no_packing = false;
};
ExitStatus zar_build_command(const ZarBuildCommand& command, Terminal& terminal);
ExitStatus zar_ls_command(const std::string& image, Terminal& terminal);
// `name`: what it must be, 64 hexadecimal digits; "" prints the name it has.
ExitStatus zar_verify_command(const std::string& image, const std::string& name,
                              Terminal& terminal);

}  // namespace missive::harness
