// The verb `trace`: what a recorded application start did, or a new recording.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/json_source.h"
#include "harness/verb_list.h"
#include "real/launch/application.h"
#include "real/trace/tracer.h"

namespace missive::harness {
namespace {

struct TraceCommand {
  std::string what;    // registered application, or a trace file
  std::string record;  // "": print only; else where the new trace goes
  bool json = false;
};

ExitStatus trace_start(const TraceCommand& command, Terminal& terminal) {
  std::filesystem::path file;
  if (!command.record.empty()) {
    const launch::Application& application = launch::application(command.what);
    file = command.record;
    trace::record_trace(application, launch::ensure_root(application), file);
  } else if (std::filesystem::exists(command.what)) {
    file = command.what;
  } else {
    file = launch::trace_file(launch::application(command.what));
  }
  const launch::LaunchTrace trace = launch::read_trace(file);
  Json facts = Json::object();
  facts["files"] = trace.selection.files.size();
  facts["runs"] = trace.selection.runs.size();
  facts["opens"] = trace.opens;
  facts["lookups_found"] = trace.lookups_found;
  facts["lookups_missing"] = trace.lookups_missing;
  facts["missing_until_ready"] = trace.missing_until_ready;
  facts["pages_touched"] = trace.pages_touched;
  if (command.json) {
    terminal.out << facts.dump(2) << '\n';
    return ExitStatus::ok;
  }
  for (const auto& [key, value] : facts.items())
    terminal.out << fmt::format("{} {}\n", key, value.dump());
  return ExitStatus::ok;
}

}  // namespace

void add_trace_verb(Verb& program) {
  Verb& verb = program.add("trace", "print what a recorded application start did, or record one");
  auto command = std::make_shared<TraceCommand>();
  verb.option("APPLICATION", command->what, "registered application, or a .trace.gz file",
              {.required = true});
  verb.option("--json", command->json, "as JSON");
  verb.option("--record", command->record,
              "start the application and write its trace to this file (.trace.gz)");
  verb.action = [command](Terminal& terminal) { return trace_start(*command, terminal); };
}

}  // namespace missive::harness
