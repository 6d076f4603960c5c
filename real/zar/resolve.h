#pragma once
// Paths as a process with the image as its root would walk them.

#include <cstdint>
#include <optional>
#include <string>

#include "real/zar/image.h"

namespace missive::zar {

// The entry that `path` leads to, symbolic links followed within the image, the last one too;
// none when there is no such entry, or more than 40 links on the way.
std::optional<std::uint32_t> resolve(const Image& image, const std::string& path);

}  // namespace missive::zar
