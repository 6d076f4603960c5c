#include "harness/claim_text.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "harness/result_files.h"
#include "harness/table.h"
#include "models/error.h"

namespace missive::harness {

namespace {

constexpr std::array kVerdicts{Verdict::reproduced, Verdict::not_reproduced, Verdict::inconclusive,
                               Verdict::not_run, Verdict::not_supported};

const Claim* find(const ClaimsFile& claims, const std::string& id) {
  for (const Claim& claim : claims.claims)
    if (claim.id == id) return &claim;
  return nullptr;
}

std::string simulated_text(const Claim& claim, const ClaimVerdict& v) {
  return v.simulated ? claim_number(claim, v.simulated->value) : "-";
}

// "46.2 ms [20.7 ms, 66.3 ms]"; a count without its interval.
std::string measured_text(const Claim& claim, const ClaimVerdict& v) {
  if (!v.measured) return "-";
  const std::string value = claim_number(claim, v.measured->value);
  if (v.measured->exact) return value;
  return fmt::format("{} [{}, {}]", value, claim_number(claim, v.measured->low),
                     claim_number(claim, v.measured->high));
}

std::string repetitions(const ClaimVerdict& v) {
  return v.measured && !v.measured->exact ? std::to_string(v.measured->n) : "-";
}

std::string cut(const std::string& text, std::size_t longest) {
  return text.size() <= longest ? text : text.substr(0, longest - 3) + "...";
}

// A cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string verdict_cell(const ClaimVerdict& v) {
  if (v.verdict == Verdict::reproduced) return "reproduced";
  return fmt::format("{}: {}", to_string(v.verdict), v.why);
}

std::string minutes(double m) {
  return m >= 60 ? fmt::format("{:.3g} h", m / 60) : fmt::format("{:.2g} min", m);
}

}  // namespace

std::string claims_table(const ClaimsFile& claims, const std::vector<ClaimVerdict>& verdicts) {
  struct Row {
    const Claim* claim;
    const ClaimVerdict* verdict;
    std::array<std::string, 5> cells;  // all but the statement
  };
  const std::array<std::string, 5> titles = {"claim", "verdict", "expected",
                                             "found [95 % interval]", "n"};
  std::vector<Row> rows;
  for (const ClaimVerdict& v : verdicts)
    if (const Claim* claim = find(claims, v.id); claim != nullptr)
      rows.push_back({claim,
                      &v,
                      {v.id, to_string(v.verdict), expectation(*claim),
                       claim->decides == World::measured ? measured_text(*claim, v)
                                                         : simulated_text(*claim, v),
                       repetitions(v)}});
  // The statement takes what the numbers leave of a line; columns stand two apart.
  std::size_t taken = 2 + 2 * titles.size();
  for (std::size_t i = 0; i < titles.size(); ++i) {
    std::size_t widest = titles[i].size();
    for (const Row& row : rows) widest = std::max(widest, row.cells[i].size());
    taken += widest;
  }
  constexpr std::size_t kLine = 110, kLeast = 12;
  const std::size_t room = std::max(kLeast, kLine - std::min(kLine, taken));
  Table table({titles[0], titles[1], "statement", titles[2], titles[3], titles[4]});
  table.align_left(3);
  table.rule();
  std::string reasons;
  for (const auto& [claim, v, cells] : rows) {
    table.add({cells[0], cells[1], cut(claim->statement, room), cells[2], cells[3], cells[4]});
    if (!v->why.empty())
      reasons += fmt::format("  {:4} {}: {}{}\n", v->id, to_string(v->verdict), v->why,
                             v->verdict == Verdict::not_reproduced && !v->decides
                                 ? " (no hardware was named: not in the exit status)"
                                 : "");
  }
  return "claims\n" + table.text("  ") + (reasons.empty() ? "" : "\n") + reasons;
}

std::string verdict_counts(const std::vector<ClaimVerdict>& verdicts) {
  std::string text;
  for (const Verdict verdict : kVerdicts) {
    std::string ids;
    std::size_t n = 0;
    for (const ClaimVerdict& v : verdicts) {
      if (v.verdict != verdict) continue;
      ++n;
      ids += (ids.empty() ? "" : " ") + v.id;
    }
    if (n == 0) continue;
    const bool named = verdict == Verdict::not_reproduced || verdict == Verdict::inconclusive;
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", n, to_string(verdict),
                        named ? " (" + ids + ")" : "");
  }
  return text.empty() ? "no claims" : text;
}

std::string claims_markdown(const ClaimsFile& claims, const std::vector<ClaimVerdict>& verdicts,
                            bool headlines_only) {
  std::string text =
      "| claim | statement | expected | simulated | measured [95 % CI] | verdict |\n"
      "|---|---|---|---|---|---|\n";
  for (const ClaimVerdict& v : verdicts) {
    const Claim* claim = find(claims, v.id);
    if (claim == nullptr || (headlines_only && !claim->headline)) continue;
    const std::string published =
        claim->published.empty() ? "" : fmt::format(" ({}: {})", claim->from, claim->published);
    text += fmt::format("| {} | {}{} | {} | {} | {} | {} |\n", v.id, cell(claim->statement),
                        cell(published), cell(expectation(*claim)), cell(simulated_text(*claim, v)),
                        cell(measured_text(*claim, v)), cell(verdict_cell(v)));
  }
  return text;
}

std::string claims_csv(const ClaimsFile& claims, const std::vector<ClaimVerdict>& verdicts) {
  std::string text =
      "id,from,statement,tier,kind,expected,simulated,measured,low,high,n,verdict,why\n";
  for (const ClaimVerdict& v : verdicts) {
    const Claim* claim = find(claims, v.id);
    if (claim == nullptr) continue;
    const auto number = [](const std::optional<ClaimNumber>& n, double ClaimNumber::*which) {
      return n ? round_trip((*n).*which) : std::string{};
    };
    const std::array fields{claim->id,
                            claim->from,
                            claim->statement,
                            to_string(claim->tier),
                            claim->judged() ? to_string(claim->kind) : std::string{},
                            expectation(*claim),
                            number(v.simulated, &ClaimNumber::value),
                            number(v.measured, &ClaimNumber::value),
                            number(v.measured, &ClaimNumber::low),
                            number(v.measured, &ClaimNumber::high),
                            v.measured ? std::to_string(v.measured->n) : std::string{},
                            to_string(v.verdict),
                            v.why};
    for (std::size_t i = 0; i < fields.size(); ++i)
      text += csv_field(fields[i]) + (i + 1 == fields.size() ? '\n' : ',');
  }
  return text;
}

Json verdicts_json(const ClaimsFile& claims, const std::vector<ClaimVerdict>& verdicts,
                   const Json& context) {
  Json all = Json::array();
  for (const ClaimVerdict& v : verdicts)
    if (const Claim* claim = find(claims, v.id)) all.push_back(to_json(*claim, v));
  return Json{{"format", "missive-sim/verdicts/1"},
              {"claims_sha256", claims.sha256},
              {"context", context},
              {"claims", std::move(all)}};
}

std::vector<ClaimVerdict> read_verdicts(const ClaimsFile& claims, const Json& document,
                                        const std::string& where) {
  if (!document.is_object() || document.value("format", Json()) != "missive-sim/verdicts/1" ||
      !document.contains("claims") || !document["claims"].is_array())
    throw InputError(where +
                     ": is not of the format missive-sim/verdicts/1; give the "
                     "verdicts.json of a 'missive-sim reproduce'");
  std::vector<ClaimVerdict> verdicts;
  try {
    for (const Json& json : document["claims"]) {
      ClaimVerdict v;
      v.id = json.at("id");
      if (find(claims, v.id) == nullptr)
        throw InputError(
            fmt::format("{}: there is no claim {} any more; reproduce again", where, v.id));
      const auto verdict = std::find_if(kVerdicts.begin(), kVerdicts.end(), [&](Verdict known) {
        return to_string(known) == json.at("verdict").get<std::string>();
      });
      if (verdict == kVerdicts.end())
        throw InputError(fmt::format("{}: {} has no known verdict; reproduce again", where, v.id));
      v.verdict = *verdict;
      if (json.at("why").is_string()) v.why = json["why"];
      v.decides = json.at("decides");
      if (const Json& s = json.at("simulated"); s.is_number())
        v.simulated = ClaimNumber{s, s, s, 1, true};
      if (const Json& m = json.at("measured"); m.is_object()) {
        v.measured =
            ClaimNumber{m.at("median"), m.at("ci95").at(0), m.at("ci95").at(1), m.at("n"), false};
        v.measured->exact = m.value("exact", false);
      }
      verdicts.push_back(std::move(v));
    }
  } catch (const Json::exception& e) {
    throw InputError(fmt::format("{}: {}; reproduce again", where, e.what()));
  }
  return verdicts;
}

std::string appendix_claims(const ClaimsFile& claims) {
  std::string text;
  for (const char* from : {"Missive", "multiPIE", "literature", "missive-sim"}) {
    std::string part;
    for (const Claim& c : claims.claims) {
      if (c.from != from || !c.headline) continue;
      const ClaimExperiment* e = claims.experiment(c.experiment);
      const std::string how =
          !c.not_run.empty() ? "not run: " + c.not_run
          : !c.not_supported.empty()
              ? "not supported: " + c.not_supported
              : fmt::format("{}, {}; {}; variation: {}", expectation(c), to_string(c.tier),
                            e ? e->id : "closed form", c.variation);
      part += fmt::format("* **{}** {}{} ({})\n", c.id, c.statement,
                          c.published.empty() ? "" : " [" + c.published + "]", how);
    }
    if (!part.empty()) text += fmt::format("**{}**\n\n{}\n", from, part);
  }
  return text;
}

std::string appendix_experiments(const ClaimsFile& claims) {
  std::string text =
      "| experiment | question | human | kick | short | full | claims |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const ClaimExperiment& e : claims.experiments) {
    std::string ids;
    for (const Claim& c : claims.claims)
      if (c.judged() && c.experiment == e.name) ids += (ids.empty() ? "" : " ") + c.id;
    text += fmt::format(
        "| **{}** `{}` | {} | {} | {} | {} | {} | {} |\n", e.id, e.file, cell(e.what),
        minutes(e.human_minutes), minutes(e.profiles.at("kick").minutes),
        minutes(e.profiles.at("short").minutes), minutes(e.profiles.at("full").minutes), ids);
  }
  return text;
}

std::string with_section(const std::string& text, const std::string& name,
                         const std::string& content, const std::string& where) {
  const std::string begin_mark = "<!-- " + name + ":begin", end_mark = "<!-- " + name + ":end -->";
  const auto begin = text.find(begin_mark);
  const auto start = begin == std::string::npos ? begin : text.find("-->\n", begin);
  const auto end = start == std::string::npos ? start : text.find(end_mark, start);
  if (end == std::string::npos || text.find(begin_mark, begin + 1) != std::string::npos)
    throw InputError(
        fmt::format("{}: the markers <!-- {}:begin --> and <!-- {}:end --> must stand "
                    "there once, each on a line of its own",
                    where, name, name));
  return text.substr(0, start + 4) + "\n" + content + "\n" + text.substr(end);
}

}  // namespace missive::harness
