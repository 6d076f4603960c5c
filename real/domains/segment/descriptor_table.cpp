#include "real/domains/segment/descriptor_table.h"

#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

#include <asm/ldt.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::domains::segment {

static_assert(kEntries == LDT_ENTRIES);

namespace {

constexpr unsigned kCodeContents = 2;  // MODIFY_LDT_CONTENTS_CODE

bool write_entry(const user_desc& entry) {
  constexpr int kWrite = 0x11;
  return ::syscall(SYS_modify_ldt, kWrite, &entry, sizeof entry) == 0;
}

user_desc described(std::size_t number, std::uint32_t base, std::size_t size, unsigned contents) {
  user_desc d{};
  d.entry_number = static_cast<unsigned>(number);
  d.base_addr = base;
  d.limit = static_cast<unsigned>(size / 4096 - 1);
  d.limit_in_pages = 1;
  d.seg_32bit = 1;
  d.contents = contents;
  d.useable = 1;
  return d;
}

bool clear_entry(std::size_t number) {
  user_desc d{};
  d.entry_number = static_cast<unsigned>(number);
  d.read_exec_only = 1;
  d.seg_not_present = 1;
  return write_entry(d);
}

// Pairs in use. Low ones first: the kernel copies the table up to the highest at every change.
class Pairs {
 public:
  std::size_t take() {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = first_free_; i < used_.size(); ++i) {
      if (used_[i]) continue;
      used_[i] = true;
      first_free_ = i + 1;
      return i;
    }
    throw RunError(
        "segment: the process's local descriptor table is full: " + std::to_string(kEntries) +
        " entries, two for each domain, and no setting changes that");
  }
  void give_back(std::size_t pair) {
    const std::lock_guard lock(mutex_);
    used_[pair] = false;
    if (pair < first_free_) first_free_ = pair;
  }

 private:
  std::mutex mutex_;
  std::vector<bool> used_ = std::vector<bool>(kEntries / 2);
  std::size_t first_free_ = 0;
};

Pairs& pairs() {
  static auto* const all = new Pairs;  // domains may outlive static objects
  return *all;
}

}  // namespace

Segments::Segments(std::uint32_t base, std::size_t size) : entry_(2 * pairs().take()) {
  if (write_entry(described(entry_, base, size, kCodeContents)) &&
      write_entry(described(entry_ + 1, base, size, 0)))
    return;
  const int error = errno;
  clear_entry(entry_);
  pairs().give_back(entry_ / 2);
  throw RunError(std::string("segment: modify_ldt: ") + std::strerror(error));
}

Segments::~Segments() {
  clear_entry(entry_);
  clear_entry(entry_ + 1);
  pairs().give_back(entry_ / 2);
}

std::string segments_unavailable() {
  try {
    const Segments probe(0, 4096);
    return {};
  } catch (const RunError& e) {
    return std::string(e.what()) + " (needs CONFIG_MODIFY_LDT_SYSCALL, and no filter against it)";
  }
}

}  // namespace missive::domains::segment
