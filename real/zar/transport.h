#pragma once
// The transport form of an image: its recipe, and each unit compressed by itself, so that units can
// be sent, stored and checked one by one (docs/zarfile-format.md, "Transport form"). What a host
// launches from stays the image itself, uncompressed and page-aligned.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "real/zar/choice.h"
#include "real/zar/image.h"
#include "real/zar/recipe.h"

namespace missive::zar {

// A compression of single units: one file each in codec/.
struct CodecChoice {
  std::uint8_t id;
  const char* name;
  const char* what;
  // Empty when it does not get smaller than `data`; the unit is then kept as it is. `level` 0: the
  // codec's own default.
  std::vector<std::byte> (*compress)(std::span<const std::byte> data, int level);
  // Fills `to` exactly. False: damaged, or of another length.
  bool (*decompress)(std::span<const std::byte> data, std::span<std::byte> to);
};
const std::vector<const CodecChoice*>& codecs();

extern const CodecChoice kCodecOff, kCodecZstd, kCodecLz4;

struct TransportReport {
  Digest name;
  std::uint64_t units = 0, zero_units = 0, raw_units = 0;  // raw: kept as they are
  std::uint64_t length = 0;                                // of the file written
};

// Writes the transport form of an image. Atomic, as all output. Throws InputError, RunError.
TransportReport pack(const Image& image, const CodecChoice& codec, int level, unsigned threads,
                     const std::filesystem::path& output);

// Writes the image that `data` holds. Every unit is checked against the recipe, and the image's
// own name against it. Throws InputError that begins with `where`: not a transport form, damaged;
// memory follows the recipe that is there, not a claimed number.
TransportReport unpack(std::span<const std::byte> data, const std::string& where, unsigned threads,
                       const std::filesystem::path& output);

}  // namespace missive::zar
