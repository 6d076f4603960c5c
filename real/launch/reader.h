#pragma once
// The synthetic application "reader", for what recorded applications cannot answer: how a launch
// depends on the size of its image, and on the share of it that the start touches, all else being
// equal.
//
// Its image is one static program with a read-only segment of the asked-for size (random content,
// from a fixed seed), and three files of 2 KiB for each MiB of that, which nobody reads: an index
// that grows with the image as real ones do. The program touches each page of the first part of its
// segment, in order, as a loader does; says "ready"; and waits. Its recorded start is what it does.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "real/launch/application.h"

namespace missive::launch {

inline constexpr const char* kReader = "reader";

struct Reader {
  std::uint64_t bytes = 0;  // of the segment; a multiple of 1 MiB, at most 1 GiB
  double touched = 0;       // share of it, 0 to 1

  std::uint64_t touched_bytes() const;  // whole pages
};

// By a name that says all of it, "reader-100MiB-0.25". Throws InputError when it is out of range.
Application reader(const Reader& what);
// By such a name, or a registered one. Throws as application().
Application application_of(const std::string& name);
// Nothing when `name` is not one that reader() gives.
std::optional<Reader> reader_of(std::string_view name);

// Of readers and of recorded applications alike. A reader's tree is made below `scratch`, others'
// roots as by ensure_root().
std::filesystem::path root_of(const Application& application, const std::filesystem::path& scratch);
LaunchTrace trace_of(const Application& application);

}  // namespace missive::launch
