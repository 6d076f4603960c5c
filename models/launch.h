#pragma once
// The launch of one application from an untrusted cache, as a plan. docs/models.md draws it.
//
//   create      boot block check, picoprocess               (launcher; the picoprocess prepares
//               itself beside all that follows, until the application's start)
//   lookup      connect, ask the cache what it has          (launcher, cache)
//   fetch       recipe, then missing blocks by batches      (cache, origin; cold and warm only)
//   assemble    blocks into one sealed memory file          (cache; cold and warm only)
//   map         the image into the launcher: mapped or copied
//   tag_lookup  the tag from the untrusted store            (keyed verifier only)
//   verify      tree, or MAC when a tag was there; on first sight both
//   tag_store   the new tag                                 (keyed verifier, first sight only)
//   boot        deliver the files, start, the application's own work until its ready mark
//
// Lazily three of them change, and one follows:
//
//   tag_lookup  the tags of all blocks, or else the recipe with its leaves
//   verify      that record itself, and the blocks with the image's index
//   boot        nothing is put ahead before the start
//   background  launch runs verified and put into the page cache, in the order of the recorded
//               start, on another core if there is one; once the application is ready all other
//               blocks, and on first sight new tags. The launch ends with the ready mark
//
// Behind a lazy start the runs come in up to 64 equal parts, which the application needs one after
// the other at an even pace. Whoever comes to a part first brings it (Step::once): the thread
// behind it, or the application by its page faults; the other one waits, or finds it there. By
// delivery mmap bringing is mapping: the pages are those of the image, and nothing is copied.
//
// All amounts are exact: they come from the image's real index and from which blocks the cache
// holds. What the application itself does is not modelled: its own time is the native twin's
// (parameter native_ready.call_s); what the untrusted path adds to it is.

#include <cstdint>
#include <string>

#include "models/plan.h"

namespace missive {

enum class Temperature { cold, warm, hot };
enum class HandOver { sealed, copy };
std::string to_string(Temperature t);
std::string to_string(HandOver h);
// Throw std::invalid_argument naming the values there are.
Temperature parse_temperature(const std::string& text);
HandOver parse_hand_over(const std::string& text);

// An image as its index describes it.
struct ImageFacts {
  Bytes length{};  // of the zarfile; a multiple of block_size
  std::uint64_t block_size = 0;
  std::uint64_t blocks = 0;  // length / block_size
  Bytes recipe{};            // serialized
  Bytes nodes{};             // input of the inner hashes: tree over the leaves
  std::uint64_t files = 0;
  Bytes content{};                // of all files
  std::uint64_t nodes_other = 0;  // directories and symbolic links
  std::uint64_t symlinks = 0;     // of these
  std::uint64_t runs = 0;         // page runs put into the page cache before the start
  Bytes run_bytes{};
  // Listed before the start: directories on the way to the runs' files and to links that lead
  // there, with so many entries; and these links.
  std::uint64_t directories = 0, listed = 0, links = 0;
  // Lazily: blocks with the image's header and index, and further blocks that hold page runs.
  std::uint64_t front_blocks = 0, run_blocks = 0;
  std::uint64_t pieces = 0;  // lazily: the page runs, cut where they are put ahead bit by bit
};

// What a recorded start of the application looked up.
struct ApplicationFacts {
  // Names looked up until the ready mark that listing the directories does not answer beforehand:
  // those that do not exist.
  std::uint64_t lookups = 0;
};

struct LaunchScenario {
  Temperature temperature = Temperature::cold;
  bool keyed = false;             // verifier: MAC (true) or tree alone
  bool lazy = false;              // verification: when a block is first needed
  std::string delivery = "fuse";  // "extract", "fuse", "erofs" or "mmap"
  HandOver hand_over = HandOver::sealed;
  std::string origin_link = "loopback";
  std::uint64_t batch_blocks = 256;  // blocks asked for in one HTTP request
  ImageFacts image;
  ApplicationFacts application;
  std::uint64_t missing_blocks = 0;  // distinct blocks the cache lacks; 0 when hot
};

// Throws std::invalid_argument when the scenario contradicts itself (hot with missing blocks, an
// unknown delivery, lazily by one that cannot ...).
Plan plan_launch(const LaunchScenario& scenario);

// The native twin as a plan of one step, phase boot.
Plan plan_native();

}  // namespace missive
