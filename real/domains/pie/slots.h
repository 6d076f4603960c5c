#pragma once
// Where copies of one static PIE lie in this process.
//
// A process may have vm.max_map_count (65,530 by default) map entries, and a loader that maps each
// copy's segments uses four or five for each. Here copies lie in *blocks*: the code of copy i at
// block + i * stride, its data at block + distance + i * stride, where `distance` is what lies
// between code and data in the program (256 MiB in ours, guest/layout.lds). So the data, heap and
// stack of all copies of a block are one anonymous mapping, one entry; and as the memfd that holds
// the image repeats it every `stride` bytes, the code of 16 copies is one mapping of it, too.
// Programs with code and data close together get a block of one copy and their segments' own
// protection. All code is MAP_PRIVATE of one memfd or file (shared page by page), writable data is
// copied into fresh memory, as the kernel would at the first write.
//
// A slot given back loses its pages (MADV_DONTNEED); a block whose last slot was given back is
// unmapped, and the memfd goes with the pool.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "real/domains/pie/elf.h"
#include "real/fd.h"

namespace missive::domains::pie {

// Of each copy, whole pages.
struct SlotSizes {
  std::uint64_t heap = 32 * 1024;
  std::uint64_t stack = 64 * 1024;
};

class Block;

// One copy: its code at `base`, and its writable part, heap and stack in one piece.
struct Slot {
  std::byte* base = nullptr;
  std::span<std::byte> data;  // writable segments
  std::span<std::byte> heap;
  std::span<std::byte> stack;
  Block* block = nullptr;
  std::size_t index = 0;
};

class Pool {
 public:
  // From a copy of `file`. Throws what read_elf() throws, RunError for a host limit.
  Pool(std::span<const std::byte> file, const std::string& name, const SlotSizes& sizes = {});
  // From a file of the system's, whose code is mapped where it lies and shared with every other
  // program that runs it. Throws as above.
  Pool(UniqueFd file, const std::string& name, const SlotSizes& sizes);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  const Program& program() const { return program_; }
  const std::string& name() const { return name_; }

  // A fresh copy: code mapped, initialised data in place, everything else zero. Throws RunError
  // that names the limit, its value and the value needed, when the process has no map left.
  Slot take();
  void give_back(const Slot& slot) noexcept;

 private:
  friend class Block;
  void store_copy(std::size_t copy);
  void fill(const Slot& slot) const;

  void lay_out();

  std::string name_;
  std::vector<std::byte> copy_;
  Mapping mapped_;
  std::span<const std::byte> file_;  // copy_ or mapped_
  Program program_;
  SlotSizes sizes_;
  UniqueFd code_;            // what code is mapped from: a memfd, or the file itself
  bool at_offsets_ = false;  // the file itself: segments lie at their file offsets
  bool packed_ = false;
  std::uint64_t code_bytes_ = 0;  // of the read-only segments, from address 0
  std::uint64_t data_start_ = 0;  // first page of the writable ones
  std::uint64_t data_bytes_ = 0;
  std::uint64_t stride_ = 0;
  std::size_t slots_per_block_ = 1;
  std::vector<bool> stored_;  // which copies a memfd holds already
  std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace missive::domains::pie
