#pragma once
// What the loader (loader/main.cpp) is told: where a static program's pages lie in the image's
// memory file and where in memory they belong. The launcher writes it (static_program.h) and
// vouches for it; the loader, which runs confined like the application it becomes, believes it.
//
// The conversation, over a SOCK_SEQPACKET pair of its own:
//
//   launcher  LoadPlan   before the loader exists; waits for it in the socket
//   loader    Report     everything is mapped (init_protocol.h), or Step::map_program with errno
//
// after which the loader closes all it has and jumps. Lazily (`watched`) a page must not be seen
// before its block was verified, so two messages come between, and nothing is touched before them:
//
//   loader    Placed     mapped, but not looked at; with it the userfaultfd of its memory
//   launcher  any byte   the launcher answers all page faults there (fault_handler.h)

#include <cstddef>
#include <cstdint>

#include "real/launch/init_protocol.h"

namespace missive::launch {

// Whole pages, in order: `mapped` bytes from the image at `offset`, then `anonymous` bytes of
// zeros. Where `zero` is not 0, everything from that address to the end of `mapped` is zero, too.
struct LoadPart {
  std::uint64_t address = 0, offset = 0, mapped = 0, anonymous = 0, zero = 0;
  std::uint32_t protection = 0;  // PROT_*: mmap(2)
  std::uint32_t unused = 0;
};

inline constexpr std::size_t kMaxParts = 16;

struct LoadPlan {
  // 0: addresses are absolute. Otherwise they count from where so many bytes are free, at a
  // multiple of `alignment`.
  std::uint64_t span = 0, alignment = 0;
  std::uint64_t entry = 0, headers = 0, header_count = 0;  // AT_ENTRY, AT_PHDR, AT_PHNUM
  char name[16] = {};                                      // of the process: PR_SET_NAME(2const)
  std::uint64_t watched = 0;                               // 1: lazily
  std::uint64_t parts = 0;
  LoadPart part[kMaxParts] = {};
};

// What addresses of the plan count from comes with it: 0 for a program that says so itself.
struct Placed {
  Report report;
  std::uint64_t base = 0;
};

// The loader's descriptors; the last one, /dev/userfaultfd, lazily only.
inline constexpr int kLoaderSocket = 3, kLoaderImage = 4, kLoaderFaults = 5;

}  // namespace missive::launch
