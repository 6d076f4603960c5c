#pragma once
// The directory trees of the structure experiments, by name:
//
//   gnumeric                  a registered application: files its recorded start opens, and runs
//   abiword@bookworm          a Debian package with its closure as a suite serves it, unpacked
//                             (scripts/package-tree; once, kept in home()/trees)
//   list:geany                made from a list of sizes that ships with the project
//                             (traces/lists/): names, sizes and equality of files are those of the
//                             packages, content is invented
//   list:geany~1              the same after an invented update, number 1 to 9

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "real/measure/scratch.h"
#include "real/zar/builder.h"

namespace missive::harness {

struct StructureTree {
  std::filesystem::path root;
  zar::Selection selection;
};

// Whether it is made from a list.
bool invented(const std::string& name);

// "" when `name` is well formed, else what is wrong with it.
std::string check_tree_name(const std::string& name);

class StructureTrees {
 public:
  // Invented trees live in a temporary directory until this goes. `content` false: their files have
  // the right sizes and no content, which is enough to plan an image.
  explicit StructureTrees(bool content) : content_(content) {}
  StructureTrees(const StructureTrees&) = delete;
  StructureTrees& operator=(const StructureTrees&) = delete;

  // Throws NotAvailable (no network, no root, no tool), InputError, RunError.
  const StructureTree& get(const std::string& name);

 private:
  std::filesystem::path make_list(const std::string& name);
  bool content_;
  std::optional<measure::ScratchDirectory> scratch_;
  std::map<std::string, StructureTree> trees_;
};

}  // namespace missive::harness
