#pragma once
// Lazy verification of a program that is mapped from its image: the handler of its page faults.
//
// The program's parts are private mappings of the sealed memory file that holds the image, and they
// are registered with userfaultfd(2) for *minor* faults: a page that is in the page cache but not
// in the program's page table is not mapped; whoever touches it waits, and the handler is asked. It
// has the block verified, and lets the kernel map that very page (UFFDIO_CONTINUE). Nothing is
// copied, and launches of one image go on to share its pages. Pages that the memory file does not
// have (holes, which read as zeros) are *missing* faults, and answered in the same way: reading
// the block to verify it has made them. A page that the program writes to becomes its own copy of
// what was verified, as ever.
//
// Whoever reads: a system call of the program waits as the program does. A block that is refused is
// never mapped; the picoprocess is killed, and with it whoever waits.
//
// A program may change what its addresses mean: fork(2), mremap(2) or munmap(2) of these parts.
// Then it is no longer known which page belongs to which block, and which memory is watched. The
// handler is told of each (UFFD_EVENT_*) and then verifies *the whole image* before it lets anybody
// go on, in this and in the copy; after that nothing is left to watch. One way in is not told of,
// madvise(2) with MADV_COLLAPSE, which maps huge pages without asking: the seccomp filter denies
// it.
//
// When the last owner closes the userfaultfd, the watch is off and those who wait go on. So the
// picoprocess must be dead by then: end it before this. Its init is an owner, too (KeepMessage),
// for a launcher that is killed.
//
// https://docs.kernel.org/admin-guide/mm/userfaultfd.html, ioctl_userfaultfd(2).

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "real/fd.h"
#include "real/launch/load_plan.h"
#include "real/verify/block_verifier.h"

struct uffd_msg;

namespace missive::launch {

// /dev/userfaultfd, open. Throws NotAvailable where this user may not, or there is none.
UniqueFd open_fault_device();
// Empty when page faults can be handled here, otherwise why not.
std::string fault_handler_unavailable();

class FaultHandler {
 public:
  // Begins at once, on a thread of its own. Every page of `plan` from the image counts from `base`.
  // `image_bytes` is what `blocks` has; it must outlive this. Throws NotAvailable (features that
  // the kernel lacks or keeps for others) or RunError.
  FaultHandler(UniqueFd faults, const LoadPlan& plan, std::uint64_t base,
               verify::BlockVerifier& blocks, std::uint64_t image_bytes, int pidfd);
  ~FaultHandler();
  FaultHandler(const FaultHandler&) = delete;
  FaultHandler& operator=(const FaultHandler&) = delete;

  // Maps what the program has of [offset, offset + length) of the image, all of whose blocks were
  // accepted, so that it need not ask. For any thread. Does nothing once it cannot be known.
  void map_ahead(std::uint64_t offset, std::uint64_t length);

  // Faults that were answered, by any thread of the program or a copy of it.
  std::uint64_t answered() const { return answered_; }
  // What went wrong, other than a refused block; the picoprocess was killed. Empty otherwise.
  std::string failure() const;

 private:
  struct Range {
    std::uint64_t address = 0, length = 0, offset = 0;  // of memory, of both, of the image
  };
  struct Window {
    std::uint64_t address = 0, length = 0;
  };
  enum class Mapped { all, partly };

  void run();
  bool take_messages(std::vector<uffd_msg>& faults);
  void take_event(const uffd_msg& event);
  void answer(std::uint64_t address);
  void verify_all();
  void let_go();
  const Range* range_of(std::uint64_t address) const;
  Window window_around(const Range& range, std::uint64_t address) const;
  Mapped map_pages(Window window) const;
  void wake(std::uint64_t address) const;
  void end_application(const std::string& why);

  const UniqueFd faults_;
  verify::BlockVerifier& blocks_;
  const std::uint64_t image_bytes_;
  const UniqueFd pidfd_, stop_;
  std::vector<Range> ranges_;   // as the loader mapped them
  std::vector<Range> watched_;  // of these, until let_go()

  // Held while a page is mapped by a range, and while messages are taken: an event makes all ranges
  // void.
  std::mutex layout_;
  bool lost_track_ = false;       // set by the handler's thread alone
  std::vector<UniqueFd> copies_;  // the userfaultfds of forked copies
  std::vector<Window> moved_;     // where a part was moved to

  std::atomic<std::uint64_t> answered_{0};
  mutable std::mutex failure_mutex_;
  std::string failure_;
  std::thread thread_;
};

}  // namespace missive::launch
