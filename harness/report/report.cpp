#include "harness/report/report.h"

#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "harness/report/html.h"
#include "harness/report/page.h"
#include "harness/report/sections.h"
#include "models/error.h"
#include "real/data_dir.h"

namespace missive::harness {
namespace {

std::string file_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string contents(const std::vector<Section>& sections) {
  std::string html = "<ul>\n";
  for (const Section& s : sections)
    html += "<li><a href=\"#" + s.id + "\">" + html_escape(s.title) + "</a></li>\n";
  return html + "</ul>\n";
}

std::string footer(const Result& result, const PlotLibrary& library) {
  const auto version = result.context.is_object() && result.context.contains("version") &&
                               result.context["version"].is_string()
                           ? result.context["version"].get<std::string>()
                           : std::string{};
  std::string html =
      "<p>" +
      html_escape(fmt::format("Made by missive-sim {}. Beside this file: result.json (everything "
                              "on this page), observations.csv (every repetition), trace.json "
                              "(both launches on one time axis, for ui.perfetto.dev).",
                              version)) +
      "</p>\n";
  if (library.empty())
    return html +
           "<p>This page has tables and no plots: the program did not find its plotting library. "
           "scripts/setup brings it (it needs npm); then make the page again with: missive-sim "
           "report DIR</p>\n";
  return html +
         "<details><summary>Licences of the plotting library in this file</summary><pre "
         "tabindex=\"0\">" +
         html_escape(library.licences) + "</pre></details>\n";
}

// The scripts stand inside <script>: nothing in them may end it.
bool ends_no_script(const std::string& script) {
  return script.find("</script") == std::string::npos && script.find("<!--") == std::string::npos;
}

}  // namespace

PlotLibrary plot_library() {
  PlotLibrary library;
  try {
    const auto folder = data_dir() / "report-library";
    for (const char* name : {"vega.min.js", "vega-lite.min.js", "vega-embed.min.js"}) {
      const std::string script = file_text(folder / name);
      if (script.empty() || !ends_no_script(script)) return {};
      library.scripts += "<script>\n" + script + "\n</script>\n";
    }
    library.licences = file_text(folder / "LICENSES.txt");
    if (library.licences.empty()) return {};  // not to be handed on without
  } catch (const Error&) {
    return {};
  }
  return library;
}

std::string report_html(const Result& result, const PlotLibrary& library) {
  const ReportWriter writer(result, !library.empty());
  const std::vector<Section> sections = writer.sections();
  std::string body;
  for (const Section& s : sections)
    body += "<section aria-labelledby=\"" + s.id + "\">\n<h2 id=\"" + s.id + "\">" +
            html_escape(s.title) + "</h2>\n" + s.html + "</section>\n";
  return fill_template(kPageHtml, {{"title", result.name + " \xE2\x80\x93 missive-sim"},
                                   {"version", kPageVersion},
                                   {"style", kPageCss},
                                   {"header", writer.header()},
                                   {"contents", contents(sections)},
                                   {"sections", body},
                                   {"footer", footer(result, library)},
                                   {"libraries", library.scripts},
                                   {"script", kPageJs}});
}

}  // namespace missive::harness
