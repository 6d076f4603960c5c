#pragma once
// What an image of given files is made of, predicted from a manifest: sizes, their order, and which
// contents are equal. Bytes of metadata, padding, recipe, tree and proof; what a start fetches;
// what a client that holds another image lacks. No content is read.
//
// Exact where the manifest decides alone: packings "off", "page" and "greedy" and everything that
// follows from their length; the number of strings; placements "greedy" and "launch", laid out page
// by page (models/structure_layout.h). An expectation elsewhere:
//
//   bundles of small files   next-fit into pages of 512 slots of 8 bytes, sizes drawn independently
//                            from the image's own: a Markov chain over the fill of a page
//   partial proofs           gaps between the proven blocks lie anywhere, against the tree's nodes
//   consistent hashing       laid out; hashes that the manifest does not say are drawn
//   updates                  both images laid out; which pages of a changed file survive is drawn
//                            from how other files changed; which pages of the older image are
//                            equal may be told (models/structure_update.h)
//
// Drawn answers come with the interval that holds nine draws in ten. All sizes are in bytes. The
// layout's constants are those of docs/zarfile-format.md.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace missive {

enum class FileChange { same, changed, fresh };  // against the image that is there already

struct FileFact {
  static constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t size = 0;       // at least 1
  std::uint64_t content = 0;    // equal contents have the same number, in all images
  std::uint32_t directory = 0;  // files of one directory have the same number
  std::uint32_t rank = kNever;  // when the recorded start first reads it: 0, 1, 2, ...
  std::vector<std::pair<std::uint32_t, std::uint32_t>> touched;  // page, pages: of that start
  FileChange change = FileChange::fresh;
  std::uint64_t old_size = 0, old_content = 0;  // of `changed`: in the other image
  // Of `changed`: files of one build of one source package have the same number (their times,
  // before and after, are those of its changelog); 0: not known.
  std::uint64_t build = 0;
};

// A record of the index: file, directory or link.
struct EntryFact {
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t name = 0;      // equal names and targets have the same number
  std::uint64_t stamp = 0;     // likewise kind, mode, time and size
  std::uint32_t texts = 0;     // bytes of its name and target
  std::uint32_t file = kNone;  // index into the files
};

struct StructureFacts {
  std::vector<FileFact> files;   // in path order; hard links once, empty files not at all
  std::vector<EntryFact> index;  // in path order; needed for updates only
  std::uint64_t entries = 0, strings = 0, extras = 0, extents = 0, absent = 0, runs = 0;
  std::optional<std::uint64_t> bundle;  // number of what packing "path" makes of small files
};

// What placement "stable" makes of contents' digests, by FileFact::content. Digests are in many a
// manifest; where they are not, or a content's is not known, hashes are drawn.
class ContentHashes {
 public:
  virtual ~ContentHashes() = default;
  // Of contents of one size the smaller number is placed first.
  virtual std::optional<std::uint64_t> order(std::uint64_t content) const = 0;
  // Where a content wants to lie, at its attempt 0 .. 9: any number, to be masked.
  virtual std::optional<std::uint64_t> wish(std::uint64_t content, unsigned attempt) const = 0;
};

// Digests of the pages of files, by FileFact::content; the end of a file is filled up with zeros. A
// page of nothing but zeros has digest 0, as padding has.
using HeldPages = std::unordered_map<std::uint64_t, std::vector<std::uint64_t>>;

struct StructureDesign {
  std::uint64_t block_size = 65536, degree = 128;
  std::string packing = "path", placement = "in-order", units = "blocks";
};

// A prediction, and whether it is to be equal or only near. Of draws: their mean, and what one draw
// more lies between nine times in ten. Of n draws that is from the k-th smallest to the k-th
// largest, k = (n + 1) / 20, whatever they are distributed by; quantiles of the draws themselves
// would lie too near. Exact for 19, 39, 59 ... draws; of fewer than 19 it holds less.
struct Predicted {
  double value = 0;
  bool exact = false;
  std::optional<std::pair<double, double>> spread = std::nullopt;
};
Predicted mean_of(std::vector<double> draws);

// Of the files of a page or more that an update changed, equal ones once: how many there are, and
// how many the update of another application changed in the very same way.
struct SeenChanges {
  std::size_t seen = 0, changed = 0;
};

// Nothing where the model has no answer: number of content-defined units, bundles ("directory",
// "launch") by placements other than "in-order".
struct StructurePrediction {
  std::optional<Predicted> metadata, padding, image, units, recipe, tree, proof, start_blocks;
  std::optional<Predicted> scrap_items;
  std::optional<Predicted> network, copied;            // predict_update()
  std::optional<Predicted> network_seen, copied_seen;  // who saw others' updates, files shared too
  std::optional<Predicted> network_told, copied_told;  // of draws_near() what was counted
  SeenChanges seen;
  std::optional<Predicted> start_proof;  // where the caller knows the gaps
};
StructurePrediction predict_structure(const StructureFacts& facts, const StructureDesign& design,
                                      const ContentHashes* hashes = nullptr);

// Expected pages of `count` small files (each below a page) packed one behind the other.
class BundlePages {
 public:
  explicit BundlePages(const std::vector<std::uint64_t>& sizes);
  double of(std::uint64_t count) const;

 private:
  std::vector<double> pages_;  // after 0, 1, 2 ... files
  double slope_ = 0;
};

std::uint64_t tree_nodes(std::uint64_t leaves, std::uint64_t degree);
std::uint64_t leaf_proof(std::uint64_t leaves, std::uint64_t degree);  // digests
// Expected digests that prove some of `leaves`: siblings of all nodes on their ways to the root,
// each once. `gaps`: lengths of the stretches between the proven leaves, in any order, `proven` of
// them.
double partial_proof(std::uint64_t leaves, std::uint64_t proven,
                     const std::vector<std::uint64_t>& gaps, std::uint64_t degree);

}  // namespace missive
