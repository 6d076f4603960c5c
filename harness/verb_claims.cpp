// The verb `claims`: the claims file with recorded verdicts, and the documents made from it.

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include <fmt/format.h>

#include "harness/claim_documents.h"
#include "harness/claim_text.h"
#include "harness/output_dir.h"
#include "harness/verb_list.h"
#include "real/data_dir.h"

namespace missive::harness {
namespace {

struct ClaimsCommand {
  std::string verdicts, results, format = "table";
  std::vector<std::string> update;
};

ExitStatus run(const ClaimsCommand& command, Terminal& terminal) {
  const ClaimsFile claims = load_claims();
  Json context = Json::object();
  const auto verdicts = !command.results.empty()   ? judge_results(claims, command.results, context)
                        : command.verdicts.empty() ? recorded_verdicts(claims)
                                                   : load_verdicts(claims, command.verdicts);
  for (const std::string& name : command.update) {
    const std::string text = read_document(name);
    write_atomically(name, with_claim_sections(text, claims, verdicts, name));
  }
  if (!command.update.empty()) return ExitStatus::ok;
  if (command.format == "json")
    terminal.out << verdicts_json(claims, verdicts, context).dump(2) << '\n';
  else if (command.format == "csv")
    terminal.out << claims_csv(claims, verdicts);
  else if (command.format == "markdown")
    terminal.out << claims_markdown(claims, verdicts, false);
  else
    terminal.out << claims_table(claims, verdicts) << "  " << verdict_counts(verdicts) << '\n';
  return ExitStatus::ok;
}

}  // namespace

void add_claims_verb(Verb& program) {
  auto command = std::make_shared<ClaimsCommand>();
  Verb& verb =
      program.add("claims", "list the claims with the verdicts that ship with the project");
  verb.option("--verdicts", command->verdicts,
              "verdicts.json of a 'reproduce' instead of those that ship");
  verb.option("--results", command->results,
              "judge the results in this folder of a 'reproduce' now, without running anything",
              {.excludes = "--verdicts"});
  verb.option("--format", command->format, "what goes to stdout",
              {.one_of = {"table", "json", "csv", "markdown"}, .default_text = "table"});
  verb.option("--update", command->update,
              "rewrite the sections of this Markdown file that are made from the claims, "
              "between <!-- claims:begin --> and its kin (repeatable)",
              {.one_value_each = true});
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

}  // namespace missive::harness
