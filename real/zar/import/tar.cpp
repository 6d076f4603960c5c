// A tar archive of a root, plain or compressed.

#include "real/zar/import/archive.h"
#include "real/zar/import/import.h"

namespace missive::zar {

namespace {

bool accepts(const std::filesystem::path& source) {
  if (!std::filesystem::is_regular_file(source)) return false;
  const std::string start = first_bytes(source, 512);
  const auto begins = [&](std::string_view magic) { return start.starts_with(magic); };
  return (start.size() == 512 && start.compare(257, 5, "ustar") == 0) || begins("\x1f\x8b") ||
         begins("\x28\xb5\x2f\xfd") || begins("\xfd\x37zXZ") || begins("BZh") ||
         begins("\x04\x22\x4d\x18");
}

ImportResult unpack(const std::filesystem::path& source, TreeWriter& tree,
                    const std::filesystem::path&) {
  const Unpacked done = unpack_tar(source, tree);
  return {done.entries, done.left_out};
}

}  // namespace

const ImportKind kImportTar = {"tar", "a tar archive", accepts, unpack};

}  // namespace missive::zar
