#pragma once
// A launch's outcome as text, to bring it from the process that launched to the one that compares.

#include <string>

#include "real/launch/launcher.h"

namespace missive::launch {

std::string encode(const LaunchOutcome& outcome);
// Throws RunError when the text is not what encode() makes.
LaunchOutcome decode_outcome(const std::string& text);

}  // namespace missive::launch
