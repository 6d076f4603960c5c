#pragma once
// The host and the build a result comes from: what a reader needs to judge it or to repeat it.
// Anonymous: no host name, no user name, no path, because results are handed to reviewers.

#include <string>

#include "harness/json_source.h"
#include "harness/launch_run.h"

namespace missive::harness {

// Never throws; what cannot be found out is null.
Json host_context();

// The "mechanisms" member: {name: true | "why not"}.
Json mechanisms(const std::vector<DoctorEntry>& entries);

// "0.1.0 (commit 1a2b3c4, Release, GCC 12.2.0)"
std::string version_text();

}  // namespace missive::harness
