#include "real/domains/pie/slots.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/domains/map_limit.h"

namespace missive::domains::pie {

namespace {

constexpr std::size_t kCopies = 16;  // of the image in the memfd: slots per code mapping

[[noreturn]] void map_failed(const std::string& name, const std::string& what) {
  if (const std::string limit = map_limit_reached(); errno == ENOMEM && !limit.empty())
    throw RunError(name + ": no map entry left for " + what + ": " + limit);
  throw RunError(name + ": cannot map " + what + ": " + std::strerror(errno) +
                 "; look at 'ulimit -v', vm.overcommit_memory and free memory");
}

}  // namespace

// Address space for slots_per_block copies.
class Block {
 public:
  explicit Block(Pool& pool) : pool_(pool) {
    const std::uint64_t area = pool.stride_ * pool.slots_per_block_;
    size_ = pool.data_start_ + area;
    void* at =
        ::mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) map_failed(pool.name_, std::to_string(size_) + " bytes of address space");
    base_ = static_cast<std::byte*>(at);
    if (::mprotect(base_ + pool.data_start_, area, PROT_READ | PROT_WRITE) != 0) {
      const int error = errno;
      ::munmap(base_, size_);
      errno = error;
      map_failed(pool.name_,
                 "the writable memory of " + std::to_string(pool.slots_per_block_) + " domains");
    }
    // A 2 MiB page would give a domain the memory of nineteen.
    ::madvise(base_ + pool.data_start_, area, MADV_NOHUGEPAGE);
    free_.reserve(pool.slots_per_block_);
  }
  ~Block() { ::munmap(base_, size_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  bool full() const { return free_.empty() && next_ == pool_.slots_per_block_; }
  bool empty() const { return used_ == 0; }

  // Slots given back first: their page tables are there already.
  std::size_t take() {
    std::size_t index;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else {
      if (pool_.packed_) {
        pool_.store_copy(next_ % kCopies);
        if (next_ % kCopies == 0) map_group(next_);
      } else {
        pool_.store_copy(0);
        map_segments();
      }
      index = next_++;
    }
    ++used_;
    return index;
  }

  void give_back(std::size_t index) noexcept {
    ::madvise(base_ + pool_.data_start_ + index * pool_.stride_, pool_.stride_, MADV_DONTNEED);
    free_.push_back(index);  // cannot throw: reserved for all
    --used_;
  }

  std::byte* base() const { return base_; }

 private:
  void map_code(std::byte* at, std::uint64_t size, int protection, std::uint64_t offset) {
    if (::mmap(at, size, protection, MAP_PRIVATE | MAP_FIXED, pool_.code_.get(),
               static_cast<off_t>(offset)) == MAP_FAILED)
      map_failed(pool_.name_, "code");
  }
  void map_group(std::size_t first) {
    const std::size_t copies = std::min(kCopies, pool_.slots_per_block_ - first);
    map_code(base_ + first * pool_.stride_, copies * pool_.stride_, PROT_READ | PROT_EXEC, 0);
  }
  void map_segments() {
    for (const Segment& s : pool_.program_.segments)
      if (!s.write)
        map_code(base_ + s.first_page(), s.end_page() - s.first_page(),
                 PROT_READ | (s.execute ? PROT_EXEC : 0),
                 pool_.at_offsets_ ? page_down(s.offset) : s.first_page());
    std::byte* stack = base_ + pool_.data_start_ + pool_.stride_ - pool_.sizes_.stack;
    if (::mprotect(stack - kPage, kPage, PROT_NONE) != 0) map_failed(pool_.name_, "a guard page");
  }

  Pool& pool_;
  std::byte* base_ = nullptr;
  std::uint64_t size_ = 0;
  std::size_t next_ = 0;  // slots from here on were never used
  std::size_t used_ = 0;
  std::vector<std::size_t> free_;
};

namespace {

std::size_t size_of(const UniqueFd& file, const std::string& name) {
  struct stat s {};
  if (::fstat(file.get(), &s) != 0) throw_errno(name);
  if (s.st_size == 0) throw InputError(name + ": not an ELF file");
  return static_cast<std::size_t>(s.st_size);
}

}  // namespace

Pool::Pool(std::span<const std::byte> file, const std::string& name, const SlotSizes& sizes)
    : name_(name),
      copy_(file.begin(), file.end()),
      file_(copy_),
      program_(read_elf(file_, name)),
      sizes_(sizes),
      code_(::memfd_create("missive-pie", MFD_CLOEXEC)) {
  if (!code_) throw_errno(name_ + ": memfd_create");
  lay_out();
  const std::uint64_t size = packed_ ? kCopies * stride_ : page_up(code_bytes_);
  if (::ftruncate(code_.get(), static_cast<off_t>(size)) != 0) throw_errno(name_ + ": memfd");
}

Pool::Pool(UniqueFd file, const std::string& name, const SlotSizes& sizes)
    : name_(name),
      mapped_(Mapping::read_only(file.get(), size_of(file, name), name)),
      file_(mapped_.bytes()),
      program_(read_elf(file_, name)),
      sizes_(sizes),
      code_(std::move(file)),
      at_offsets_(true) {
  lay_out();
}

void Pool::lay_out() {
  std::size_t read_only = 0;
  for (const Segment& s : program_.segments) {
    if (!s.write) {
      code_bytes_ = s.end_page();
      ++read_only;
      continue;
    }
    if (data_bytes_ == 0) data_start_ = s.first_page();
    data_bytes_ = s.end_page() - data_start_;
  }
  if (data_bytes_ == 0) data_start_ = code_bytes_;
  stride_ = std::max(code_bytes_, data_bytes_ + sizes_.heap + sizes_.stack);
  // An odd number of pages, so that equal places of all copies do not meet in few cache sets.
  if (stride_ / kPage % 2 == 0) stride_ += kPage;
  slots_per_block_ = std::max<std::size_t>(1, data_start_ / stride_);
  packed_ = read_only == 1 && slots_per_block_ > 1 && !at_offsets_;
  if (!packed_) {
    slots_per_block_ = 1;
    stride_ += kPage;  // below the stack nobody may touch it; packed, it would take map entries
  }
  stored_.resize(packed_ ? kCopies : 1, at_offsets_);
}

Pool::~Pool() = default;

// Segments go to their addresses, which need not be their file offsets.
void Pool::store_copy(std::size_t copy) {
  if (stored_[copy]) return;
  for (const Segment& s : program_.segments) {
    if (s.write) continue;
    const std::byte* from = file_.data() + s.offset;
    std::uint64_t left = s.file, to = copy * stride_ + s.address;
    while (left > 0) {
      const ssize_t n = ::pwrite(code_.get(), from, left, static_cast<off_t>(to));
      if (n <= 0) throw_errno(name_ + ": cannot store the image");
      from += n, to += static_cast<std::uint64_t>(n), left -= static_cast<std::uint64_t>(n);
    }
  }
  stored_[copy] = true;
}

void Pool::fill(const Slot& slot) const {
  for (const Segment& s : program_.segments)
    if (s.write) std::memcpy(slot.base + s.address, file_.data() + s.offset, s.file);
}

Slot Pool::take() {
  Slot slot;
  {
    const std::lock_guard lock(mutex_);
    // Only the last block can have slots that were never used; an earlier one may have some back.
    const auto found =
        std::find_if(blocks_.rbegin(), blocks_.rend(), [](const auto& b) { return !b->full(); });
    if (found != blocks_.rend()) {
      slot.block = found->get();
      slot.index = slot.block->take();
    } else {
      auto fresh = std::make_unique<Block>(*this);
      slot.index = fresh->take();
      slot.block = fresh.get();
      blocks_.push_back(std::move(fresh));
    }
  }
  slot.base = slot.block->base() + slot.index * stride_;
  std::byte* at = slot.base + data_start_;
  slot.data = {at, data_bytes_};
  const std::uint64_t guard = packed_ ? 0 : kPage;
  slot.heap = {at + data_bytes_, stride_ - data_bytes_ - guard - sizes_.stack};
  slot.stack = {at + stride_ - sizes_.stack, sizes_.stack};
  fill(slot);
  return slot;
}

void Pool::give_back(const Slot& slot) noexcept {
  const std::lock_guard lock(mutex_);
  slot.block->give_back(slot.index);
  if (!slot.block->empty()) return;
  const auto it = std::find_if(blocks_.begin(), blocks_.end(),
                               [&](const auto& b) { return b.get() == slot.block; });
  blocks_.erase(it);
}

}  // namespace missive::domains::pie
