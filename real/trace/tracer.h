#pragma once
// Recording the start of an application: which files it opens or looks up, which pages it touches
// and in what order, how many names it looks up. The application runs in a picoprocess whose root
// is a read-only FUSE passthrough of its unpacked root with the kernel's read-ahead off and its
// page cache on, so that every page that is needed for the first time arrives as one read request,
// whether by read(2) or by a fault on a mapping. Nothing is preloaded into the application or
// attached to it.

#include <chrono>
#include <filesystem>

#include "real/launch/application.h"

namespace missive::trace {

// How a start is recorded.
struct Options {
  std::chrono::milliseconds deadline{60000};  // for the ready mark
  // What the application touches this long after its ready mark still belongs to its start; ends
  // early when it exits.
  std::chrono::milliseconds settle{7000};
};

struct Recorded {
  std::uint64_t files = 0, bytes = 0;  // files looked up, whole
  std::uint64_t pages_touched = 0;
  std::chrono::nanoseconds ready{};  // of the traced start, which pays for the tracing
};

// Starts `application` from the unpacked `root` and writes its trace to `out` (format:
// traces/README.md), complete or not at all. Throws NotAvailable (root, FUSE, Xvfb missing) or
// RunError.
Recorded record_trace(const launch::Application& application, const std::filesystem::path& root,
                      const std::filesystem::path& out, const Options& options = {});

}  // namespace missive::trace
