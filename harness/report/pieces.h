#pragma once
// Small pieces of a report's text that several sections use.

#include <optional>
#include <string>

#include "harness/result.h"

namespace missive::harness {

// A paragraph of text, of a class of the style sheet or of none.
std::string paragraph(const std::string& text, const std::string& css = {});
// "12.3 ms [11.9 ms, 12.8 ms]", "-" for nothing.
std::string measured_text(const std::optional<Measured>& measured, const std::string& unit);
// "yes", "no", "not judged".
std::string verdict_of(const Metric& metric);
std::string capitalised(std::string text);
// Whether anything was timed, and not only counted.
bool has_times(const Result& result);
// A host that had more to do than it has cores measured the others as well; empty when it had not,
// when the context does not say, and when nothing was timed.
std::string busy_in_words(const Result& result);

}  // namespace missive::harness
