#pragma once
// Block lists: which blocks the files of packages consist of, by hashes alone, and which packages
// make an application. With them one can count what applications share without having them.
//
// The format (traces/commonality/README.md) is gzip-compressed text. Hashes are BLAKE2b with a
// digest of 64 bits, that of launch traces: equal hash = equal content, but for the chance of a
// collision, collision_probability().

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace missive::commonality {

// One unit that a file is cut into.
struct ListedUnit {
  std::uint64_t hash = 0;
  std::uint32_t length = 0;
  bool operator==(const ListedUnit&) const = default;
};

// A way to cut files: "4KiB" and other powers of two, "cdc" (content-defined chunks, the default
// sizes of real/zar/units.h), "strings" (each file whole).
struct Cutting {
  std::string name;
  std::uint32_t block = 0;  // bytes of a block; 0: cdc
};
// Throws InputError: no such way, or "strings", which every list has.
Cutting parse_cutting(const std::string& name);

struct ListedFile {
  std::string path;
  std::uint64_t size = 0, digest = 0;
  bool documentation = false;  // below usr/share: doc, man, info, help, locale ... (not in "slim")
  // By cutting, in the order of BlockLists::cuttings; empty: the file is one unit.
  std::vector<std::vector<ListedUnit>> units;
};

struct ListedPackage {
  std::string name;  // "libc6=2.36-9+deb12u14"
  std::vector<ListedFile> files;
};

struct ListedApplication {
  std::string name, family;
  std::vector<std::uint32_t> packages;  // places in BlockLists::packages
};

struct BlockLists {
  std::vector<Cutting> cuttings;
  std::vector<ListedPackage> packages;
  std::vector<ListedApplication> applications;
};

std::uint64_t hash64(std::span<const std::byte> data);

// Chance that any two of `units` different ones have the same hash of 64 bits (birthday bound).
double collision_probability(double units);

// Reads a file of lists. Throws InputError "FILE:LINE: WHAT; WHAT TO DO". Text beyond 1 GiB is
// refused.
BlockLists read_block_lists(const std::filesystem::path& file);

// The list of one Debian package, as text in that format without an application: what
// `missive-sim zar blocks` writes. Each file is read once, as a stream, and kept in memory while it
// is cut. Throws InputError when it is not a Debian package.
std::string list_package(const std::filesystem::path& deb, const std::vector<Cutting>& cuttings);

}  // namespace missive::commonality
