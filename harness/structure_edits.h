#pragma once
// How files of real updates changed, page by page, and in which applications: what the model of
// updates learns from. As text (the format is in traces/README.md) for when the updates themselves
// are not there.

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/structure_update.h"

namespace missive::harness {

struct RecordedEdit {
  EditProfile edit;
  std::set<std::string> images;  // FROM>TO: the updates that changed a file thus
};

// Each edit once, by its two contents, whatever number of updates had it.
class RecordedEdits {
 public:
  void add(const EditProfile& edit, const std::set<std::string>& images);
  bool empty() const { return edits_.empty(); }

  std::vector<EditProfile> all() const;
  // What updates of other applications had, the files of which may be this one's, too: whoever
  // predicts with it knows what happened elsewhere, and nothing that was counted here.
  std::vector<EditProfile> elsewhere(const std::string& image) const;

  std::string text() const;

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, RecordedEdit> edits_;
};

// Throws InputError: no such file, or a line that is none of the format's.
std::vector<RecordedEdit> read_edits(const std::filesystem::path& file);

// Those that ship with the project.
std::filesystem::path recorded_edits();

// "abiword" of "abiword@bookworm>abiword@trixie", "list:geany" of "list:geany>list:geany~1".
std::string application_of(const std::string& image);

}  // namespace missive::harness
