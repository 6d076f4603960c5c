#pragma once
// The files of a run: result.json, observations.csv, trace.json, report.html. Contracts for other
// people's scripts; a change of a key or column is a new schema number.

#include <string>
#include <string_view>

#include "harness/output_dir.h"
#include "harness/result.h"

namespace missive::harness {

inline constexpr std::string_view kObservationsHeader =
    "experiment,point,backend,phase,metric,unit,repetition,value";

// The shortest text that reads back as the same double.
std::string round_trip(double value);

// A field of a CSV file, quoted as RFC 4180 asks where it needs to be.
std::string csv_field(const std::string& field);

// Tidy: one row per observation, RFC 4180 quoting where needed, "\n" line ends.
std::string observations_csv(const Result& result);

// Chrome trace-event format (ui.perfetto.dev): simulation and measurement as two processes on one
// time axis, for each point one thread per place, and further ones where its steps overlap without
// nesting. Of the measured launches the median one. Points beyond kMostTraceEvents are left out
// whole, which the file says: viewers give up on much larger ones.
inline constexpr std::size_t kMostTraceEvents = 200'000;
std::string trace_json(const Result& result);

// Writes all of them.
void write_files(const Result& result, const OutputDir& out);

}  // namespace missive::harness
