#pragma once
// The pages of an image that its traced start needed, put together so that few requests cover
// them. A pure function of the image: a planner computes from it the same amounts that a delivery
// reports.

#include <cstdint>
#include <vector>

#include "real/zar/image.h"

namespace missive::launch {

struct CoalescedRun {
  std::uint32_t entry = 0;   // index into Image::entries(), a regular file
  std::uint64_t offset = 0;  // within the file, a multiple of 4096
  std::uint64_t bytes = 0;   // a multiple of 4096 unless the file ends here
};

// image.launch_runs() without overlap: runs of one file that touch, overlap or leave a gap of at
// most `gap` pages are one. Files come in the order in which the start first needed them, runs of a
// file in ascending order, each clipped at the end of its file.
std::vector<CoalescedRun> coalesced_runs(const zar::Image& image, std::uint32_t gap = 0);

// The same pages in the order in which the start first touched them, for a delivery that runs ahead
// of a start under way: all that it needs of 64 KiB of a file comes with the first page of them. A
// loader looks at the front of one library after the other, and only then at the rest of each;
// file by file, it would overtake the delivery.
std::vector<CoalescedRun> runs_by_touch(const zar::Image& image);

// Sum of the bytes of coalesced_runs(image): Delivered::bytes of the fuse delivery.
std::uint64_t launch_run_bytes(const zar::Image& image);

// Blocks that a lazy launch needs first: those that hold what Image::open() reads, and further ones
// that hold bytes of launch runs.
struct BlocksAtStart {
  std::uint64_t front = 0, runs = 0;
};
BlocksAtStart blocks_at_start(const zar::Image& image);

}  // namespace missive::launch
