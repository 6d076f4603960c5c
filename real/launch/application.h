#pragma once
// The registry of applications one can launch. Adding one: a launch trace in
// traces/launch/NAME.trace.gz (its manifest) and one line in application.cpp.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "real/zar/builder.h"

namespace missive::launch {

enum class ReadyMark { first_window, first_output };

struct Application {
  std::string name;                   // JSON value: "gnumeric"
  std::vector<std::string> packages;  // Debian 12 packages whose closure is the application's root
  std::vector<std::string> command;
  ReadyMark ready = ReadyMark::first_window;
  std::string what;
};
const std::vector<Application>& applications();
// Throws InputError with the nearest name.
const Application& application(const std::string& name);

// The complete environment ("NAME=value") of the application, the same in a picoprocess and in its
// native twin. `display` is the X display's name (":7"), or empty for none.
std::vector<std::string> environment_for(const Application& application,
                                         const std::string& display);

// A recorded start: files opened, page runs in order, name look-ups. Format: traces/README.md.
struct LaunchTrace {
  struct File {
    std::uint64_t size = 0;
    std::string digest;
  };
  zar::Selection selection;
  std::vector<File> files;  // those of `selection`, in the same order
  std::uint64_t opens = 0, lookups_found = 0, lookups_missing = 0;
  // Of those missing, until the ready mark: what is recorded goes on after it. All, where the trace
  // does not say when that was.
  std::uint64_t missing_until_ready = 0;
  std::uint64_t pages_touched = 0;
};
// Reads a .trace.gz. Throws InputError with file and line. Uncompressed text beyond 64 MiB is
// refused, so a small hostile file cannot take all memory.
LaunchTrace read_trace(const std::filesystem::path& file);
// The trace that ships with the project: data_dir()/traces/launch/NAME.trace.gz.
std::filesystem::path trace_file(const Application& application);

// Where downloads, roots, images and host parameters live: $MISSIVE_HOME, else
// $XDG_CACHE_HOME/missive-sim, else
// ~/.cache/missive-sim.
std::filesystem::path home();

// The application's root directory (a minimal Debian 12 with the application installed, as a
// package manager would): home()/roots/NAME. Made on first use by scripts/app-root (mmdebstrap) in
// a temporary directory that is renamed when complete, so an interrupted run leaves no half root;
// packages are kept in home()/debs; later calls download nothing. A lock file makes a second
// process wait for the first. Throws NotAvailable (tool or right missing, offline) or RunError.
// `progress` gets one-line messages.
std::filesystem::path ensure_root(const Application& application,
                                  void (*progress)(const std::string&) = nullptr);

}  // namespace missive::launch
