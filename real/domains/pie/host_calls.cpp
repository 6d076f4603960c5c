#include "real/domains/pie/host_calls.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real/domains/pie/gate.h"

namespace missive::domains::pie {

namespace {

constexpr std::int64_t kElsewhere = -1000;  // "not this group's", no errno

void clear(std::int64_t address, std::size_t size) {
  if (address != 0) std::memset(reinterpret_cast<void*>(address), 0, size);
}

// Questions that change nothing, and operations on files by their path alone.
bool passes(std::int64_t number) {
  switch (number) {
    case SYS_getpid:
    case SYS_gettid:
    case SYS_getppid:
    case SYS_getpgrp:
    case SYS_getuid:
    case SYS_geteuid:
    case SYS_getgid:
    case SYS_getegid:
    case SYS_getgroups:
    case SYS_uname:
    case SYS_sysinfo:
    case SYS_times:
    case SYS_getrusage:
    case SYS_getcwd:
    case SYS_getrandom:
    case SYS_time:
    case SYS_gettimeofday:
    case SYS_clock_gettime:
    case SYS_clock_getres:
    case SYS_clock_nanosleep:
    case SYS_nanosleep:
    case SYS_sched_yield:
    case SYS_sched_getaffinity:
    case SYS_futex:
    case SYS_access:
    case SYS_stat:
    case SYS_lstat:
    case SYS_statfs:
    case SYS_readlink:
    case SYS_getxattr:
    case SYS_lgetxattr:
    case SYS_listxattr:
    case SYS_llistxattr:
    case SYS_mkdir:
    case SYS_rmdir:
    case SYS_rename:
    case SYS_link:
    case SYS_unlink:
    case SYS_symlink:
    case SYS_chmod:
    case SYS_chown:
    case SYS_lchown:
    case SYS_truncate:
    case SYS_pause:
      return true;
    default:
      return false;
  }
}

}  // namespace

HostCalls::HostCalls(std::string input, std::size_t most_output)
    : files_(std::move(input)), most_output_(most_output) {}

HostCalls::~HostCalls() {
  for (const auto& [begin, end] : maps_.intervals())
    ::munmap(reinterpret_cast<void*>(begin), end - begin);
}

bool HostCalls::owns(const std::byte* code) const {
  return maps_.contains(reinterpret_cast<std::uintptr_t>(code));
}

std::int64_t HostCalls::answer(Guest& guest, const SystemCall& call) {
  if (passes(call.number)) return to_kernel(call);
  std::int64_t result = memory(guest, call);
  if (result == kElsewhere) result = files(call);
  if (result == kElsewhere) result = signals(guest, call);
  if (result != kElsewhere) return result;
  switch (call.number) {
    case SYS_arch_prctl:
      return thread_pointer(guest, call);
    case SYS_set_tid_address:
      return ::gettid();
    case SYS_umask:
      return 022;
    case SYS_prctl:
      return call.a == PR_SET_NAME ? 0 : -EINVAL;
    case SYS_prlimit64:
      return call.c == 0 ? to_kernel(call) : -EPERM;
    case SYS_wait4:
      return -ECHILD;
    case SYS_exit:
    case SYS_exit_group:
      return end(guest, call.a, 0);
    default:
      return -ENOSYS;
  }
}

std::int64_t HostCalls::end(Guest& guest, std::int64_t status, int signal) {
  constexpr std::size_t kMostLog = 4096;
  guest.signal = signal;
  guest.log = files_.output(2, kMostLog);
  return end_guest(guest, status);
}

// ---- memory ----

bool HostCalls::own(const Guest& guest, std::int64_t at, std::int64_t size) const {
  const auto begin = static_cast<std::uintptr_t>(at);
  const auto length = page_up(static_cast<std::size_t>(size));
  const auto image = reinterpret_cast<std::uintptr_t>(guest.slot.base);
  const auto image_end =
      reinterpret_cast<std::uintptr_t>(guest.slot.stack.data() + guest.slot.stack.size());
  if (begin >= image && begin < image_end) return length <= image_end - begin;
  return maps_.contains(begin, length);
}

std::int64_t HostCalls::memory(Guest& guest, const SystemCall& call) {
  switch (call.number) {
    case SYS_brk:
      return change_break(guest, call.a);
    case SYS_mmap:
      return map(guest, call);
    case SYS_mremap:
      return remap(call);
    case SYS_munmap: {
      const auto begin = static_cast<std::uintptr_t>(call.a);
      const auto size = page_up(static_cast<std::size_t>(call.b));
      if (!maps_.contains(begin, size)) return -EINVAL;
      const std::int64_t result = to_kernel(call);
      if (result == 0) maps_.remove(begin, size);
      return result;
    }
    case SYS_mprotect:
    case SYS_madvise:
    case SYS_msync:
      return own(guest, call.a, call.b) ? to_kernel(call) : -ENOMEM;
    default:
      return kElsewhere;
  }
}

std::int64_t HostCalls::map(const Guest& guest, SystemCall call) {
  if ((call.d & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0 && !own(guest, call.a, call.b))
    return -ENOMEM;
  if ((call.d & MAP_ANONYMOUS) == 0) {
    call.e = files_.real(static_cast<int>(call.e));
    if (call.e < 0) return -EBADF;
  }
  const std::int64_t at = to_kernel(call);
  if (at > 0 && !own(guest, at, call.b))
    maps_.add(static_cast<std::uintptr_t>(at), page_up(static_cast<std::size_t>(call.b)));
  return at;
}

std::int64_t HostCalls::remap(SystemCall call) {
  const auto from = static_cast<std::uintptr_t>(call.a);
  const auto old_size = page_up(static_cast<std::size_t>(call.b));
  if (!maps_.contains(from, old_size) || (call.d & MREMAP_FIXED) != 0) return -EINVAL;
  const std::int64_t at = to_kernel(call);
  if (at < 0) return at;
  maps_.remove(from, old_size);
  maps_.add(static_cast<std::uintptr_t>(at), page_up(static_cast<std::size_t>(call.c)));
  return at;
}

// ---- files ----

std::int64_t HostCalls::files(const SystemCall& call) {
  switch (call.number) {
    case SYS_open:
      return files_.opened(to_kernel({SYS_open, call.a, call.b | O_CLOEXEC, call.c, 0, 0, 0}));
    case SYS_close:
      return files_.close(static_cast<int>(call.a));
    case SYS_dup:
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_lseek:
    case SYS_fstat:
    case SYS_fstatfs:
    case SYS_ioctl:
    case SYS_fcntl:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_fadvise64:
    case SYS_flock:
    case SYS_getdents64:
    case SYS_fchmod:
    case SYS_fchown:
    case SYS_fgetxattr:
      return on_descriptor(call);
    case SYS_dup2:
    case SYS_dup3:
      return files_.put_at(static_cast<int>(call.a), static_cast<int>(call.b));
    case SYS_openat:
    case SYS_newfstatat:
    case SYS_statx:
    case SYS_faccessat:
    case SYS_faccessat2:
    case SYS_readlinkat:
    case SYS_mkdirat:
    case SYS_unlinkat:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
    case SYS_fchmodat:
    case SYS_fchownat:
    case SYS_utimensat:
      return in_directory(call);
    case SYS_pipe:
    case SYS_pipe2:
      return make_pipe(call);
    default:
      return kElsewhere;
  }
}

// The first argument is a descriptor.
std::int64_t HostCalls::on_descriptor(SystemCall call) {
  const bool writes =
      call.number == SYS_write || call.number == SYS_writev || call.number == SYS_pwrite64;
  const auto fd = static_cast<int>(call.a);
  if (writes && files_.collected(fd) >= most_output_) return -EFBIG;
  call.a = files_.real(fd);
  if (call.a < 0) return -EBADF;
  const bool copies = call.number == SYS_dup || (call.number == SYS_fcntl &&
                                                 (call.b == F_DUPFD || call.b == F_DUPFD_CLOEXEC));
  return copies ? files_.opened(to_kernel(call)) : to_kernel(call);
}

// The first argument is a directory's descriptor, or AT_FDCWD; where there are two names, also the
// third.
std::int64_t HostCalls::in_directory(SystemCall call) {
  const auto translate = [this](std::int64_t& fd) {
    fd = static_cast<int>(fd) == AT_FDCWD ? AT_FDCWD : files_.real(static_cast<int>(fd));
    return fd != -1;
  };
  if (!translate(call.a)) return -EBADF;
  const bool two =
      call.number == SYS_renameat || call.number == SYS_renameat2 || call.number == SYS_linkat;
  if (two && !translate(call.c)) return -EBADF;
  if (call.number != SYS_openat) return to_kernel(call);
  call.c |= O_CLOEXEC;
  return files_.opened(to_kernel(call));
}

std::int64_t HostCalls::make_pipe(const SystemCall& call) {
  const std::int64_t result = to_kernel(call);
  if (result < 0) return result;
  int ends[2];
  std::memcpy(ends, reinterpret_cast<const void*>(call.a), sizeof ends);
  for (const int fd : ends) files_.opened(fd);
  return result;
}

// ---- signals ----

// Handlers are not called: what is asked about them is answered with "none".
std::int64_t HostCalls::signals(Guest& guest, const SystemCall& call) {
  constexpr std::size_t kActionBytes = 32, kMaskBytes = 8;
  bool own = false;
  std::int64_t signal = call.b;
  switch (call.number) {
    case SYS_rt_sigaction:
      clear(call.c, kActionBytes);
      return 0;
    case SYS_rt_sigprocmask:
      clear(call.c, kMaskBytes);
      return 0;
    case SYS_sigaltstack: {
      stack_t none{};
      none.ss_flags = SS_DISABLE;
      if (call.b != 0) std::memcpy(reinterpret_cast<void*>(call.b), &none, sizeof none);
      return 0;
    }
    case SYS_kill:
      own = call.a == ::getpid();
      break;
    case SYS_tkill:
      own = call.a == ::gettid();
      break;
    case SYS_tgkill:
      own = call.b == ::gettid();
      signal = call.c;
      break;
    default:
      return kElsewhere;
  }
  if (signal == 0) return to_kernel(call);
  if (!own) return -EPERM;
  if (signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT) return 0;
  if (signal < 0 || signal >= NSIG) return -EINVAL;
  return end(guest, 128 + signal, static_cast<int>(signal));
}

}  // namespace missive::domains::pie
