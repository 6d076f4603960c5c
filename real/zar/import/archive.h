#pragma once
// Reading tar archives, plain or compressed, and Debian packages, through libarchive.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "real/zar/import/tree_writer.h"

struct archive;
struct archive_entry;

namespace missive::zar {

struct Unpacked {
  std::uint64_t entries = 0;
  std::uint64_t left_out = 0;  // devices, fifos, sockets
};

// What is done with an entry: its name, and the archive to read content from. False: leave the
// rest of the archive unread.
using OnEntry = std::function<bool(archive* a, archive_entry* entry)>;

// Calls `on_entry` for each entry of a tar file (any compression that libarchive knows). libarchive
// takes many things for an empty tar; here an archive without an entry must be all zeros once
// decompressed. Throws InputError: not a tar, damaged.
void for_each_entry(const std::filesystem::path& tar, const OnEntry& on_entry);

// Puts one entry into the tree. `where` begins messages.
void unpack_entry(archive* a, archive_entry* entry, TreeWriter& tree, Unpacked& done,
                  const std::string& where);

// Calls `on_entry` for each entry of a Debian package's content (deb(5)). Throws InputError when it
// is not one.
void for_each_deb_entry(const std::filesystem::path& deb, const OnEntry& on_entry);

// The content of a Debian package. Throws as above.
Unpacked unpack_deb(const std::filesystem::path& deb, TreeWriter& tree);
// A tar file with the meaning of tar: later entries replace earlier ones.
Unpacked unpack_tar(const std::filesystem::path& tar, TreeWriter& tree);
// A layer of an OCI image: "whiteouts" take away what lower layers had (OCI image-spec, layer.md).
Unpacked unpack_layer(const std::filesystem::path& tar, TreeWriter& tree);

// Writes an entry's content to a descriptor, holes as holes.
void write_content(archive* a, int fd, const std::string& what);

}  // namespace missive::zar
