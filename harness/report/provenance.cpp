// The sections on where the numbers come from and what they do not say.

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "harness/report/html.h"
#include "harness/report/pieces.h"
#include "harness/report/sections.h"

namespace missive::harness {
namespace {

std::string plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "not known";
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string item(const std::string& text) { return "<li>" + html_escape(text) + "</li>\n"; }

}  // namespace

std::string ReportWriter::parameters() const {
  const auto& all = result_.parameters_used.all();
  if (all.empty()) return {};
  std::map<Provenance, std::size_t> count;
  HtmlTable table("Parameters, with where each value comes from",
                  {"name", "provenance", "source", "date", "value", "95 % interval", "unit"}, 4);
  for (const auto& [name, p] : all) {
    ++count[p.provenance];
    const bool interval = p.low != p.value || p.high != p.value;
    table.add({name, missive::to_string(p.provenance), p.source, p.date.empty() ? "-" : p.date,
               fmt::format("{:.4g}", p.value),
               interval ? fmt::format("[{:.4g}, {:.4g}]", p.low, p.high) : "-", p.unit},
              p.provenance == Provenance::assumed ? "miss" : "");
  }
  std::string text;
  for (const auto& [provenance, n] : count)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, missive::to_string(provenance));
  return "<p>" +
         html_escape(
             fmt::format("{} parameters: {}. Measured: by a micro-measurement on this host, "
                         "never by what is predicted. Assumed ones are marked.",
                         all.size(), text)) +
         "</p>\n<details" + (plots_ ? "" : " open") + "><summary>The parameters</summary>\n" +
         table.html() + "</details>\n";
}

std::string ReportWriter::host() const {
  if (!result_.context.is_object() || result_.context.empty()) return {};
  HtmlTable table("Host and build", {"what", "value"}, 2);
  std::string html;
  for (const auto& [key, value] : result_.context.items())
    if (!value.is_object()) table.add({key, plain(value)});
  html = table.html();
  for (const auto& [key, value] : result_.context.items()) {
    if (!value.is_object() || value.empty()) continue;
    HtmlTable inner(key, {"name", "value"}, 2);
    for (const auto& [name, state] : value.items())
      inner.add({name, state == true ? "available" : plain(state)},
                key == "mechanisms" && state != true ? "weak" : "");
    html +=
        "<details><summary>" + html_escape(key) + "</summary>\n" + inner.html() + "</details>\n";
  }
  return html;
}

std::string ReportWriter::configuration() const {
  std::string html = "<p>" +
                     html_escape(
                         "The experiment file with profile, options and all defaults "
                         "resolved; itself a valid file. SHA-256 of the file as given: " +
                         result_.sha256) +
                     "</p>\n";
  if (!result_.effective.is_object())
    return html + "<p>The result is of an older version and does not record it.</p>\n";
  return html + "<details><summary>The file</summary><pre tabindex=\"0\">" +
         html_escape(result_.effective.dump(2, ' ', false, Json::error_handler_t::replace)) +
         "</pre></details>\n";
}

std::string ReportWriter::limits() const {
  const Summary& s = result_.summary;
  std::string html = "<ul class=\"limits\">\n";
  bool any_measured = false, any_simulated = false;
  std::size_t fewest = 0;
  for (const PointResult& point : result_.points)
    for (const Metric& m : point.metrics) {
      any_simulated |= m.simulated.has_value() && m.provenance != "exact";
      if (!m.measured) continue;
      fewest = any_measured ? std::min(fewest, m.measured->n) : m.measured->n;
      any_measured = true;
    }
  const bool timed = has_times(result_);
  if (any_measured && !timed)
    html += item("Nothing here was timed: numbers are counted, and the same on every host.");
  else if (any_measured)
    html += item(
        "One host, on one day, with the load it had then: the medians are this machine's. "
        "Shapes and ratios carry over further than absolute times.");
  else
    html += item(
        "Nothing here was measured: these are predictions, and this run cannot say how "
        "good they are.");
  if (const std::string busy = busy_in_words(result_); !busy.empty()) html += item(busy);
  if (any_measured && !any_simulated)
    html += item("Nothing here was predicted: the run says nothing about the model.");
  if (timed && fewest < 6)
    html +=
        item(fmt::format("Some medians rest on {} repetition{}: their intervals are the range "
                         "that was seen, and no more is known.",
                         fewest, fewest == 1 ? "" : "s"));
  if (timed)
    html += item(
        "An error below the noise floor is not skill of the model: the machine disagrees "
        "with itself as much.");
  std::size_t assumed = 0, published = 0;
  for (const auto& [name, p] : result_.parameters_used.all()) {
    assumed += p.provenance == Provenance::assumed ? 1 : 0;
    published += p.provenance == Provenance::published ? 1 : 0;
  }
  if (assumed > 0)
    html +=
        item(fmt::format("{} parameter{} of the simulation assumed, not measured here; what "
                         "rests on them says so in result.json (provenance).",
                         assumed, assumed == 1 ? " is" : "s are"));
  if (published > 0)
    html += item(fmt::format("{} parameter{} from the literature, measured on other machines.",
                             published, published == 1 ? " is" : "s are"));
  if (!launches_.empty()) {
    html += item(
        "The application's own start is an input of the simulation, measured on the "
        "native twin; it is not predicted.");
    html += item(
        "The real network is loopback; rows over a link are simulated only. Nothing else "
        "ran beside the launches on purpose: contention is not measured here.");
  }
  for (const std::string& what : s.not_available) html += item("Not available here: " + what);
  if (s.interrupted) html += item("The run was interrupted: these are partial results.");
  return html + "</ul>\n";
}

}  // namespace missive::harness
