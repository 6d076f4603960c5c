// A Debian package: its data archive, as dpkg-deb --extract would unpack it. Maintainer scripts are
// not run.

#include "real/zar/import/archive.h"
#include "real/zar/import/import.h"

namespace missive::zar {

namespace {

bool accepts(const std::filesystem::path& source) {
  return first_bytes(source, 21) == "!<arch>\ndebian-binary";
}

ImportResult unpack(const std::filesystem::path& source, TreeWriter& tree,
                    const std::filesystem::path&) {
  tree.keep_links(true);
  const Unpacked done = unpack_deb(source, tree);
  return {done.entries, done.left_out};
}

}  // namespace

const ImportKind kImportDeb = {"deb", "a Debian package", accepts, unpack};

}  // namespace missive::zar
