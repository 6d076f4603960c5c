#include "harness/claim_documents.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "harness/claim_text.h"
#include "models/error.h"
#include "real/data_dir.h"

namespace missive::harness {

namespace fs = std::filesystem;

std::vector<ClaimVerdict> load_verdicts(const ClaimsFile& claims, const fs::path& file) {
  return read_verdicts(claims, JsonSource::read(file).document(), file.string());
}

std::vector<ClaimVerdict> recorded_verdicts(const ClaimsFile& claims) {
  const fs::path file = data_dir() / "experiments/expected/verdicts.json";
  const auto recorded =
      fs::exists(file) ? load_verdicts(claims, file) : std::vector<ClaimVerdict>{};
  std::vector<ClaimVerdict> all;
  for (const Claim& claim : claims.claims) {
    const auto own = std::find_if(recorded.begin(), recorded.end(),
                                  [&](const ClaimVerdict& v) { return v.id == claim.id; });
    // What needs no run is said as the claims file says it now.
    const bool no_run = !claim.judged() || claim.experiment.empty();
    all.push_back(own != recorded.end() && !no_run ? *own : judge(claim, nullptr));
  }
  return all;
}

std::vector<ClaimVerdict> judge_results(const ClaimsFile& claims, const fs::path& folder,
                                        Json& context) {
  std::map<std::string, Json> results;
  for (const ClaimExperiment& e : claims.experiments) {
    const fs::path file = folder / e.name / "result.json";
    if (!fs::exists(file)) continue;
    results[e.name] = Json::parse(read_document(file), nullptr, /*allow_exceptions=*/false);
    if (results[e.name].is_discarded())
      throw InputError(file.string() + ": is no whole JSON document; run the experiment again");
    context = results[e.name].value("context", Json::object());
  }
  if (results.empty())
    throw InputError(folder.string() +
                     ": holds no results; give the folder of a 'missive-sim reproduce'");
  std::vector<ClaimVerdict> all;
  for (const Claim& claim : claims.claims) {
    const auto own = results.find(claim.experiment);
    all.push_back(judge(claim, own == results.end() ? Json() : own->second));
  }
  return all;
}

std::string read_document(const fs::path& file) {
  std::ifstream in(file);
  if (!in)
    throw InputError(fmt::format("{}: cannot be read ({}); name a Markdown file", file.string(),
                                 std::strerror(errno)));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string with_claim_sections(const std::string& text, const ClaimsFile& claims,
                                const std::vector<ClaimVerdict>& verdicts,
                                const std::string& where) {
  const std::vector<std::pair<std::string, std::string>> sections{
      {"claims", claims_markdown(claims, verdicts, false)},
      {"headlines",
       claims_markdown(claims, verdicts, true) + "\nOf all: " + verdict_counts(verdicts) + ".\n"},
      {"appendix-claims", appendix_claims(claims)},
      {"appendix-experiments", appendix_experiments(claims)}};
  std::string made = text;
  bool any = false;
  for (const auto& [name, content] : sections) {
    if (text.find("<!-- " + name + ":begin") == std::string::npos) continue;
    made = with_section(made, name, content, where);
    any = true;
  }
  if (!any)
    throw InputError(where +
                     ": has no section that is made from the claims; add the markers <!-- "
                     "claims:begin --> and <!-- claims:end -->");
  return made;
}

}  // namespace missive::harness
