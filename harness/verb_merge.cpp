// The verb `merge`: results of shards become the result of the experiment.

#include <filesystem>
#include <memory>

#include "harness/claim_judge.h"
#include "harness/experiment_kind.h"
#include "harness/merge.h"
#include "harness/output_dir.h"
#include "harness/result_files.h"
#include "harness/result_reader.h"
#include "harness/run_output.h"
#include "harness/verb_list.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

struct MergeCommand {
  std::vector<std::string> parts;
  std::string out, format = "table";
};

// Overwriting a shard by the whole would lose it.
void check_out(const fs::path& out, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    std::error_code error;
    if (fs::equivalent(out, result_folder(part), error) && !error)
      throw InputError(out.string() +
                       ": is one of the results to be merged; name another folder with --out");
  }
}

ExitStatus merge_results(const MergeCommand& command, Terminal& terminal) {
  std::vector<Part> parts;
  for (const std::string& where : command.parts) {
    parts.push_back({where, read_result(where)});
    read_observations(where, parts.back().result);
  }
  const ClaimsFile claims = load_claims();
  Result all = merge(parts);
  all.claims = claims_json(claims, to_json(all));
  const Experiment e = experiment_of(all, command.parts.front());
  const fs::path folder =
      command.out.empty() ? fs::path("results") / e.name : fs::path(command.out);
  check_out(folder, command.parts);
  const OutputDir out(folder);
  write_files(all, out);
  print_result(all, e, claims, out.path(), command.format, terminal.out);
  return exit_status(all, e);
}

}  // namespace

void add_merge_verb(Verb& program) {
  auto command = std::make_shared<MergeCommand>();
  Verb& verb = program.add("merge", "make one result of the results of all shards of a run");
  verb.option("RESULT", command->parts, "folders of the shards (run --shard I/N --out DIR)",
              {.required = true});
  verb.option("--out", command->out, "folder for the whole (default: results/NAME)");
  add_format(verb, command->format);
  verb.footer =
      "\nRefused, in one line each: shards that overlap or miss points, of another file, seed, "
      "configuration,\nprogram or parameters, measured on different hosts, or interrupted.\n"
      "\nExamples:\n"
      "  for i in 1 2 3 4; do missive-sim run FILE --backend sim --shard $i/4 --out shard$i; done\n"
      "  missive-sim merge shard1 shard2 shard3 shard4 --out whole\n";
  verb.action = [command](Terminal& terminal) { return merge_results(*command, terminal); };
}

}  // namespace missive::harness
