#pragma once
// Looking things up in the result of an isolation experiment, and putting them into words: what the
// blocks of its tables share.

#include <optional>
#include <string>
#include <vector>

#include "harness/isolation_experiment.h"
#include "harness/isolation_table.h"
#include "harness/result.h"

namespace missive::harness {

// Null when there is none, and for a null point.
const PointResult* find_point(const Result& result, const std::string& mechanism, Cell cell);
const Metric* find_metric(const PointResult* point, const std::string& name);
std::optional<double> measured(const Metric* m);
std::optional<double> simulated(const Metric* m);

// Geometric mean of the slow-downs of all kernels, minus one.
std::optional<double> slow_down(const PointResult* point, bool of_measured);
// The message of at most 64 KiB, the largest that was asked for, by the cheapest way this mechanism
// has that asks nothing of the sender: by pointer, else by value.
const Metric* message_of(const PointResult* point);
// Share of its time that is not the writing and reading of it.
std::optional<double> wasted(const PointResult* point, bool of_measured);

std::string percent(double fraction);              // "+7 %"
std::string attacks_text(const Attacks& attacks);  // "3 of 11"
std::string error_text(const Metric* m);           // "-12% ", "+40%!" beyond what is allowed
std::string bytes_text(std::optional<double> bytes);

// Words onto lines of at most `width`, broken at ", ".
std::vector<std::string> wrapped(const std::string& text, std::size_t width);

}  // namespace missive::harness
