#pragma once
// report.html: one file that says what was asked, what came out and how far to trust it. It needs
// no network, no other file and, with its scripts switched off, still has every number in tables.
// Its size is bounded: distributions are thinned to quantiles, long sweeps to their first points.

#include <filesystem>
#include <string>

#include "harness/result.h"

namespace missive::harness {

// Vega, Vega-Lite and Vega-Embed, minified, and their licences: scripts/report-library puts them
// there. Empty where they are not: a report then has tables and no plots, and says so.
struct PlotLibrary {
  std::string scripts;   // JavaScript, in the order to be run
  std::string licences;  // text that goes with it
  bool empty() const { return scripts.empty(); }
};
// From data_dir()/report-library; never throws.
PlotLibrary plot_library();

// `result` with its observations, and its context.
std::string report_html(const Result& result, const PlotLibrary& library = plot_library());

}  // namespace missive::harness
