#include "real/zar/import/import.h"

#include <cstdlib>
#include <fstream>

#include <unistd.h>

#include "models/error.h"
#include "real/zar/choice.h"

namespace missive::zar {

const std::vector<const ImportKind*>& import_kinds() {
  // A tar has its magic number late and may have none: asked last.
  static const std::vector<const ImportKind*> all = {&kImportDeb, &kImportWasm, &kImportExecutable,
                                                     &kImportOci, &kImportTar};
  return all;
}

const ImportKind& import_kind(const std::filesystem::path& source, const std::string& name) {
  if (!name.empty()) return choose(import_kinds(), "kind of source", name);
  if (!std::filesystem::exists(source))
    throw InputError(source.string() + ": no such file; name what to import");
  for (const ImportKind* kind : import_kinds())
    if (kind->accepts(source)) return *kind;
  std::string known;
  for (const ImportKind* kind : import_kinds())
    known += (known.empty() ? "" : ", ") + std::string(kind->what);
  throw InputError(source.string() + ": of no known kind; known are " + known +
                   "; for a directory use zar build");
}

std::string first_bytes(const std::filesystem::path& file, std::size_t count) {
  std::ifstream in(file, std::ios::binary);
  std::string bytes(count, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return bytes;
}

ScratchTree::ScratchTree(const std::filesystem::path& beside) {
  const std::filesystem::path parent =
      beside.has_parent_path() ? beside.parent_path() : std::filesystem::path(".");
  std::string name = (parent / ".zar-import-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw_errno("cannot make a directory in " + parent.string());
  path_ = name;
}

ScratchTree::~ScratchTree() {
  try {
    TreeWriter(path_).clear("", path_.string());
  } catch (const std::exception&) {  // somebody else is in there; what is left is his
  }
  ::rmdir(path_.c_str());
}

}  // namespace missive::zar
