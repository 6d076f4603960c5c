#pragma once
// The shipped catalogue of published values, read from data_dir(), and how it is printed.

#include <string>
#include <vector>

#include "models/published.h"

namespace missive::harness {

// Throws RunError when the file is not there, InputError when it is wrong.
PublishedCatalogue load_published();

// "table", "json" or "csv".
std::string published_text(const std::vector<const PublishedValue*>& values,
                           const std::string& format);

}  // namespace missive::harness
