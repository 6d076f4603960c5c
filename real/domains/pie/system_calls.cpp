#include "real/domains/pie/system_calls.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "real/domains/pie/gate.h"

namespace missive::domains::pie {

namespace {

constexpr std::size_t kMaxLog = 4096;
constexpr std::size_t kMaxMaps = 1024;

thread_local volatile bool in_kernel = false;

std::byte* pointer(std::int64_t value) { return reinterpret_cast<std::byte*>(value); }
std::int64_t number(const void* p) { return reinterpret_cast<std::int64_t>(p); }

bool inside(std::span<const std::byte> whole, const std::byte* at, std::size_t size) {
  return at >= whole.data() && size <= whole.size() &&
         static_cast<std::size_t>(at - whole.data()) <= whole.size() - size;
}

// Small areas come from the end of the heap, one below the other, so that a domain of usual size
// needs no map entry of its own.
std::int64_t map_anonymous(Guest& g, std::size_t size) {
  size = page_up(size);
  if (size <= g.heap_top && g.heap_top - size >= page_up(g.heap_break)) {
    g.heap_top -= size;
    return number(g.slot.heap.data() + g.heap_top);
  }
  if (g.maps.size() >= kMaxMaps) return -ENOMEM;
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return -errno;
  g.maps.emplace_back(static_cast<std::byte*>(at), size);
  return number(at);
}

std::int64_t map(Guest& g, const SystemCall& call) {
  if (call.b <= 0 || call.b > (std::int64_t{1} << 40)) return -EINVAL;
  const auto size = static_cast<std::size_t>(call.b);
  // musl puts an inaccessible page below its heap: granted without the two map entries it costs.
  if (call.d & MAP_FIXED)
    return inside(g.slot.heap, pointer(call.a), size) && call.c == PROT_NONE ? call.a : -ENOMEM;
  if (!(call.d & MAP_ANONYMOUS)) return -ENOSYS;
  if ((call.c & PROT_EXEC) != 0) return -EPERM;
  return map_anonymous(g, size);
}

std::int64_t unmap(Guest& g, std::byte* at, std::size_t size) {
  size = page_up(size);
  if (inside(g.slot.heap, at, size)) {
    std::memset(at, 0, size);  // the next to get it expects fresh memory
    if (at == g.slot.heap.data() + g.heap_top) g.heap_top += size;
    return 0;
  }
  const auto it = std::find_if(g.maps.begin(), g.maps.end(),
                               [&](auto m) { return m.data() == at && m.size() == size; });
  if (it == g.maps.end()) return -EINVAL;
  ::munmap(at, size);
  g.maps.erase(it);
  return 0;
}

std::int64_t write_log(Guest& g, std::int64_t fd, const iovec* parts, std::int64_t count) {
  if (fd != 1 && fd != 2) return -EBADF;
  if (count < 0 || count > 1024) return -EINVAL;
  std::int64_t written = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    g.log.append(static_cast<const char*>(parts[i].iov_base), std::min(parts[i].iov_len, kMaxLog));
    if (g.log.size() > kMaxLog) g.log.erase(0, g.log.size() - kMaxLog);
    written += static_cast<std::int64_t>(parts[i].iov_len);
  }
  return written;
}

}  // namespace

std::int64_t to_kernel(const SystemCall& call) {
  in_kernel = true;
  const long result = ::syscall(call.number, call.a, call.b, call.c, call.d, call.e, call.f);
  in_kernel = false;
  return result < 0 ? -errno : result;
}

void give_up_kernel_call(greg_t& address, greg_t& result) {
  constexpr unsigned char kSystemCall[] = {0x0f, 0x05};
  if (!in_kernel ||
      std::memcmp(reinterpret_cast<const void*>(address), kSystemCall, sizeof kSystemCall) != 0)
    return;
  address += sizeof kSystemCall;
  result = -EINTR;
}

// A failed brk() is told by the old break, and malloc() goes on with mmap().
std::int64_t change_break(Guest& g, std::int64_t address) {
  std::byte* wanted = pointer(address);
  if (inside(g.slot.heap, wanted, 0) &&
      static_cast<std::size_t>(wanted - g.slot.heap.data()) <= g.heap_top) {
    const auto to = static_cast<std::size_t>(wanted - g.slot.heap.data());
    if (to < g.heap_break) std::memset(wanted, 0, g.heap_break - to);
    g.heap_break = to;
  }
  return number(g.slot.heap.data() + g.heap_break);
}

std::int64_t thread_pointer(Guest& g, const SystemCall& call) {
  if (call.a != ARCH_SET_FS) return -EINVAL;
  g.fs = static_cast<std::uint64_t>(call.b);
  return 0;
}

std::int64_t end_guest(Guest& g, std::int64_t status) {
  g.ended = true;
  g.status = static_cast<int>(status & 0xff);
  return 0;
}

std::int64_t OwnCalls::answer(Guest& g, const SystemCall& call) {
  switch (call.number) {
    case SYS_arch_prctl:
      return thread_pointer(g, call);
    case SYS_set_tid_address:
    case SYS_gettid:
      return 1;
    case SYS_brk:
      return change_break(g, call.a);
    case SYS_mmap:
      return map(g, call);
    case SYS_munmap:
      return unmap(g, pointer(call.a), static_cast<std::size_t>(call.b));
    case SYS_mprotect:
    case SYS_madvise:
    case SYS_rt_sigaction:
    case SYS_rt_sigprocmask:
      return 0;
    case SYS_ioctl:
      return -ENOTTY;
    case SYS_write: {
      const iovec one{pointer(call.b), static_cast<std::size_t>(call.c)};
      return write_log(g, call.a, &one, 1);
    }
    case SYS_writev:
      return write_log(g, call.a, reinterpret_cast<const iovec*>(call.b), call.c);
    case SYS_exit:
    case SYS_exit_group:
      return end_guest(g, call.a);
    default:
      return -ENOSYS;
  }
}

}  // namespace missive::domains::pie
