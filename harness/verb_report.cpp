// The verb `report`: the page of a finished run, made again from its files.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "harness/output_dir.h"
#include "harness/report/report.h"
#include "harness/result_reader.h"
#include "harness/verb_list.h"

namespace missive::harness {
namespace {

struct ReportCommand {
  std::string result, out;
};

ExitStatus report(const ReportCommand& command, Terminal& terminal) {
  Result result = read_result(command.result);
  // A result that was handed on may come without its observations.
  const auto observations = result_folder(command.result) / "observations.csv";
  if (std::filesystem::exists(observations))
    read_observations(command.result, result);
  else
    terminal.err << "report: " << observations.string()
                 << " is not there: the page has medians and intervals, and no single values\n";
  const std::filesystem::path file = command.out.empty()
                                         ? result_folder(command.result) / "report.html"
                                         : std::filesystem::path(command.out);
  write_atomically(file, report_html(result));
  terminal.out << file.string() << '\n';
  return ExitStatus::ok;
}

}  // namespace

void add_report_verb(Verb& program) {
  auto command = std::make_shared<ReportCommand>();
  Verb& verb = program.add("report", "make report.html of a finished run again, from its files");
  verb.option("RESULT", command->result, "folder of a run, or its result.json", {.required = true});
  verb.option("--out", command->out, "the page (default: report.html beside the result)");
  verb.footer =
      "\nExamples:\n"
      "  missive-sim report results/launch\n"
      "  missive-sim report results/launch/result.json --out /tmp/launch.html\n";
  verb.action = [command](Terminal& terminal) { return report(*command, terminal); };
}

}  // namespace missive::harness
