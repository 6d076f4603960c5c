#pragma once
// Reads the files of a run back (result_files.h). They come from other hosts, other versions and
// full disks: whatever is wrong with one is one line that names the file and the place in it.

#include <filesystem>
#include <string_view>

#include "harness/experiment.h"
#include "harness/result.h"

namespace missive::harness {

inline constexpr std::string_view kResultSchema = "missive-sim/result/1";

// `where` is result.json or the folder that holds it. Everything but the observations. Throws
// InputError: not there, cut short, another schema, a key that is missing or of another type.
// Results of before `experiment.effective` was recorded have it null.
Result read_result(const std::filesystem::path& where);
Result result_from_json(const Json& document, const std::string& where);

// Adds the rows of observations.csv beside `where`. Throws InputError, with the line.
void read_observations(const std::filesystem::path& where, Result& result);
void parse_observations(std::string_view csv, const std::string& name, Result& result);

// The folder `where` names, or that holds it.
std::filesystem::path result_folder(const std::filesystem::path& where);

// The experiment a result answers, from its effective configuration: every point of the sweep,
// answered or not. Throws InputError when the result does not record it, or this program no longer
// accepts it.
Experiment experiment_of(const Result& result, const std::string& where);

}  // namespace missive::harness
