#pragma once
// The files of a run: result.json, observations.csv, trace.json. Contracts for other people's
// scripts; a change of a key or column is a new schema number.

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

// Chrome trace-event format (chrome://tracing, Perfetto): simulation and measurement as two
// processes, for each point one thread per place. Of the measured launches the median one.
std::string trace_json(const Result& result);

// Writes all of them.
void write_files(const Result& result, const OutputDir& out);

}  // namespace missive::harness
