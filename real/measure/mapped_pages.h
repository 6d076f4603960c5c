#pragma once
// Physical memory behind a process's mappings of one file system, as the kernel accounts it:
// /proc/PID/smaps (proc_pid_smaps(5)). Two processes that map the same page each count it in full
// as resident (RSS), and by half in their proportional share (PSS): PSS is how one sees from
// outside whether pages are the same.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace missive::measure {

// Bytes. Copies that a process made of pages of a private mapping (relocations) are anonymous: its
// own, and in none of these.
struct MappedPages {
  std::uint64_t resident = 0;
  std::uint64_t proportional = 0;
  MappedPages& operator+=(const MappedPages& other);
};

// Sums over the mappings whose file lies on `device` (st_dev of stat(2)) and, unless `inode` is 0,
// is that inode. `smaps` is the text of the file; throws RunError, naming `where`, when it is not.
MappedPages mapped_pages(std::string_view smaps, dev_t device, ino_t inode,
                         const std::string& where);

// The same of a live process; zero of one that has gone meanwhile. Throws RunError when the kernel
// does not let this user look (ptrace(2), access mode checking).
MappedPages mapped_pages(pid_t pid, dev_t device, ino_t inode = 0);

// `pid` and all its descendants, from /proc/PID/task/TID/children.
std::vector<pid_t> process_tree(pid_t pid);

}  // namespace missive::measure
