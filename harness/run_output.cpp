#include "harness/run_output.h"

#include <fmt/format.h>

#include "harness/claim_judge.h"
#include "harness/claim_text.h"
#include "harness/experiment_kind.h"
#include "harness/result_files.h"

namespace missive::harness {

void print_result(const Result& result, const Experiment& e, const ClaimsFile& claims,
                  const std::filesystem::path& folder, const std::string& format,
                  std::ostream& out) {
  if (format == "json")
    out << to_json(result).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  else if (format == "csv")
    out << observations_csv(result);
  else
    out << experiment_kind(e.kind).table(result, e);
  if (format != "table") return;
  const auto verdicts = judge_all(claims, to_json(result));
  if (!verdicts.empty())
    out << '\n' << claims_table(claims, verdicts) << "  " << verdict_counts(verdicts) << '\n';
  out << fmt::format("report    {}\n", (folder / "report.html").string());
}

}  // namespace missive::harness
