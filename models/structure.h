#pragma once
// What an image of given files is made of, predicted from their sizes: bytes of metadata, padding,
// recipe, tree and proof, what a start fetches, and what a client that holds another image lacks.
// Nothing is packed or placed and no content is looked at; the order of the files does not count.
//
// Exact where the sizes decide alone (packings "off" and "page" and everything that follows from
// their length; the number of strings); an expectation elsewhere:
//
//   bundles of small files   next-fit into pages of 512 slots of 8 bytes, sizes drawn independently
//                            from the image's own: a Markov chain over the fill of a page
//   greedy packing           a fluid: small files flow into the last pages of the others
//   partial proofs           gaps between the proven blocks lie anywhere, against the tree's nodes
//   consistent hashing       rods on a ring of blocks, gaps geometric (a lattice gas of hard rods)
//   blocks of changed files  Weibull: a block of B bytes survives with exp(-(B / b)^g)
//
// All sizes are in bytes. The layout's constants are those of docs/zarfile-format.md.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace missive {

enum class FileChange { same, changed, fresh };  // against the image that is there already

struct FileFact {
  std::uint64_t size = 0;       // at least 1
  std::uint32_t directory = 0;  // files of one directory have the same number
  bool ranked = false;          // the recorded start reads it
  std::vector<std::pair<std::uint32_t, std::uint32_t>> touched;  // page, pages: of that start
  FileChange change = FileChange::fresh;
  std::uint64_t old_size = 0;  // of `changed`: in the other image
};

struct StructureFacts {
  std::vector<FileFact> files;  // stored content: hard links once, empty files not at all
  std::uint64_t entries = 0, strings = 0, extras = 0, extents = 0, absent = 0, runs = 0;
  std::vector<std::uint64_t> gone;  // sizes of the other image's files that are not here
  bool pair = false;                // there is another image
};

struct StructureDesign {
  std::uint64_t block_size = 65536, degree = 128;
  std::string packing = "path", placement = "in-order", units = "blocks";
};

// A prediction, and whether it is to be equal or only near.
struct Predicted {
  double value = 0;
  bool exact = false;
};

// Survival of the blocks of a changed file.
struct BlockSurvival {
  double scale = 0, shape = 0;  // bytes, -
  double of(double block_bytes) const;
};
// Through the survival of blocks of two sizes. Throws std::domain_error unless both lie in (0, 1).
BlockSurvival fit_survival(double block_a, double survival_a, double block_b, double survival_b);

// Nothing where the model has no answer: number of content-defined units, layouts of "launch".
struct StructurePrediction {
  std::optional<Predicted> metadata, padding, image, units, recipe, tree, proof, start_blocks;
  std::optional<Predicted> scrap_items, network, copied;
  std::optional<Predicted> start_proof;  // where the caller knows the gaps
};
StructurePrediction predict_structure(const StructureFacts& facts, const StructureDesign& design,
                                      const BlockSurvival* survival);

// Expected pages of `count` small files (each below a page) packed one behind the other.
class BundlePages {
 public:
  explicit BundlePages(const std::vector<std::uint64_t>& sizes);
  double of(std::uint64_t count) const;

 private:
  std::vector<double> pages_;  // after 0, 1, 2 ... files
  double slope_ = 0;
};

// A file of a bundle that has another size (0: is not there) than in another image of the same
// files: pages that differ until both packings break a page before the same file again, and the
// chance that the number of pages is another then. Averages over draws with fixed seeds.
struct BundleDamage {
  double pages = 0, shift = 0;
};
BundleDamage bundle_damage(const std::vector<std::uint64_t>& sizes,
                           const std::vector<std::pair<std::uint64_t, std::uint64_t>>& changes);

std::uint64_t tree_nodes(std::uint64_t leaves, std::uint64_t degree);
std::uint64_t leaf_proof(std::uint64_t leaves, std::uint64_t degree);  // digests
// Expected digests that prove some of `leaves`: siblings of all nodes on their ways to the root,
// each once. `gaps`: lengths of the stretches between the proven leaves, in any order, `proven` of
// them.
double partial_proof(std::uint64_t leaves, std::uint64_t proven,
                     const std::vector<std::uint64_t>& gaps, std::uint64_t degree);

}  // namespace missive
