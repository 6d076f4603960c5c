#pragma once
// The options of `zar build`, which `zar import` has too.

#include <memory>
#include <string>

#include "harness/verb.h"
#include "real/zar/builder.h"
#include "real/zar/packing.h"
#include "real/zar/placement.h"
#include "real/zar/units.h"

namespace missive::harness {

struct BuildFlags {
  using Ptr = std::shared_ptr<BuildFlags>;

  zar::BuildOptions options;
  std::string block_size = "64KiB", chunk = "4KiB:16KiB:64KiB";
  std::string application, trace, absent, recipe;
  bool touched = false, no_holes = false, quiet = false;
};

BuildFlags::Ptr add_build_flags(Verb& verb);

// Builds and prints the report. Throws as zar::build() does, and InputError for bad flags.
ExitStatus build_image(const std::string& tree, const std::string& image, BuildFlags& flags,
                       Terminal& terminal);

}  // namespace missive::harness
