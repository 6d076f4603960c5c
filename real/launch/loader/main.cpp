// The loader: what the kernel runs in place of a program that is no file but lies in an image. It
// maps the program's pages from the image's memory file, tells its launcher so, closes all it has
// and becomes the program. By then it is as confined as any application: it comes by the same exec,
// behind the same filter (init/main.cpp).
//
// One page of code that may lie anywhere (a static PIE without relocations, layout.lds), no memory
// but the stack. That page and the vDSO stay mapped; stack, arguments, environment and the rest of
// the auxiliary vector are those that the kernel made. No C library: System V ABI for x86-64, 3.4.

#include <cerrno>
#include <cstdint>

#include <elf.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "real/launch/init/memory.h"
#include "real/launch/init/raw_call.h"
#include "real/launch/init_protocol.h"
#include "real/launch/load_plan.h"

namespace missive::launch {

namespace {

using init::raw_call;

constexpr int kPrivate = MAP_PRIVATE;

Report report_on(Step step, long result) {
  timespec now{};
  raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return {step, static_cast<std::int32_t>(-result),
          std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
}

void report(Step step, long result) {
  const Report said = report_on(step, result);
  raw_call(SYS_sendto, kLoaderSocket, &said, sizeof said, MSG_NOSIGNAL, nullptr, 0);
}

[[noreturn]] void fail(long result, Step step = Step::map_program) {
  report(step, result);
  for (;;) raw_call(SYS_exit_group, 127);
}

std::uint64_t map(std::uint64_t address, std::uint64_t bytes, unsigned protection, int flags,
                  int file, std::uint64_t offset) {
  const long at = raw_call(SYS_mmap, address, bytes, protection, flags, file, offset);
  if (at < 0 && at >= -4095) fail(at);
  // A kernel before 4.17 takes MAP_FIXED_NOREPLACE for a hint.
  if (address != 0 && static_cast<std::uint64_t>(at) != address) fail(-EEXIST);
  return static_cast<std::uint64_t>(at);
}

void unmap(std::uint64_t from, std::uint64_t to) {
  if (from < to) raw_call(SYS_munmap, from, to - from);
}

// Where a program that may lie anywhere comes to lie: the kernel chooses. 0 for one that says so
// itself.
std::uint64_t choose_base(const LoadPlan& plan) {
  if (plan.span == 0) return 0;
  const std::uint64_t bytes = plan.span + plan.alignment;
  const std::uint64_t from =
      map(0, bytes, PROT_NONE, kPrivate | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const std::uint64_t base = (from + plan.alignment - 1) & ~(plan.alignment - 1);
  unmap(from, base);
  unmap(base + plan.span, from + bytes);
  return base;
}

// Nothing that is there is replaced, but the room that was just made. Nothing is touched, either.
void map_part(const LoadPart& part, std::uint64_t base, int fixed) {
  const std::uint64_t at = base + part.address;
  if (part.mapped != 0)
    map(at, part.mapped, part.protection, kPrivate | fixed, kLoaderImage, part.offset);
  if (part.anonymous != 0)
    map(at + part.mapped, part.anonymous, part.protection, kPrivate | MAP_ANONYMOUS | fixed, -1, 0);
}

void clear(const LoadPart& part, std::uint64_t base) {
  if (part.zero != 0)
    memset(reinterpret_cast<void*>(base + part.zero), 0, part.address + part.mapped - part.zero);
}

// Has the launcher answer for the memory from here on: userfaultfd(2), by the device, which needs
// no capability and serves faults of system calls, too. What is registered is the launcher's to do.
void have_watched(std::uint64_t base) {
  const long faults =
      raw_call(SYS_ioctl, kLoaderFaults, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
  if (faults < 0) fail(faults, Step::watch_memory);
  Placed placed{report_on(Step::none, 0), base};
  const int descriptor = static_cast<int>(faults);
  alignas(cmsghdr) char rights[CMSG_SPACE(sizeof descriptor)];
  const cmsghdr head{CMSG_LEN(sizeof descriptor), SOL_SOCKET, SCM_RIGHTS};
  memcpy(rights, &head, sizeof head);
  memcpy(rights + CMSG_LEN(0), &descriptor, sizeof descriptor);
  iovec part{&placed, sizeof placed};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = rights;
  message.msg_controllen = sizeof rights;
  const long sent = raw_call(SYS_sendmsg, kLoaderSocket, &message, MSG_NOSIGNAL);
  if (sent < 0) fail(sent, Step::watch_memory);
  char go = 0;
  if (raw_call(SYS_read, kLoaderSocket, &go, 1) != 1) fail(-ECONNRESET, Step::watch_memory);
}

// The kernel's vector describes this loader; four of its entries are about the program.
void tell_program(std::uint64_t* stack, const LoadPlan& plan, std::uint64_t base) {
  std::uint64_t* at = stack + 1;   // argc
  const std::uint64_t path = *at;  // argv[0]; the kernel's own says /dev/fd/N
  for (int lists = 0; lists < 2; ++at) lists += *at == 0 ? 1 : 0;
  for (; at[0] != AT_NULL; at += 2) {
    if (at[0] == AT_PHDR) at[1] = base + plan.headers;
    if (at[0] == AT_PHNUM) at[1] = plan.header_count;
    if (at[0] == AT_ENTRY) at[1] = base + plan.entry;
    if (at[0] == AT_BASE) at[1] = 0;
    if (at[0] == AT_EXECFN) at[1] = path;
  }
}

}  // namespace

// Returns where the program begins.
extern "C" [[gnu::visibility("hidden")]] std::uint64_t missive_load(std::uint64_t* stack) {
  LoadPlan plan;
  const long got = raw_call(SYS_read, kLoaderSocket, &plan, sizeof plan);
  if (got != static_cast<long>(sizeof plan) || plan.parts > kMaxParts)
    fail(got < 0 ? got : -EBADMSG);
  const std::uint64_t base = choose_base(plan);
  const int fixed = plan.span == 0 ? MAP_FIXED_NOREPLACE : MAP_FIXED;
  for (std::uint64_t i = 0; i < plan.parts; ++i) map_part(plan.part[i], base, fixed);
  if (plan.watched != 0) have_watched(base);
  for (std::uint64_t i = 0; i < plan.parts; ++i) clear(plan.part[i], base);
  tell_program(stack, plan, base);
  raw_call(SYS_prctl, PR_SET_NAME, plan.name, 0, 0, 0);
  report(Step::none, 0);
  raw_call(SYS_close_range, kLoaderSocket, ~0U, 0);
  const std::uint64_t entry = base + plan.entry;
  memset(&plan, 0, sizeof plan);
  return entry;
}

}  // namespace missive::launch

// The stack pointer as the kernel left it goes to the program; so do registers that say nothing.
__asm__(
    ".pushsection .text\n"
    ".globl _start\n"
    ".hidden _start\n"
    ".type _start, @function\n"
    "_start:\n"
    "  xorl %ebp, %ebp\n"
    "  movq %rsp, %rbx\n"
    "  movq %rsp, %rdi\n"
    "  andq $-16, %rsp\n"
    "  call missive_load\n"
    "  movq %rbx, %rsp\n"
    "  movq %rax, %r11\n"
    "  xorl %eax, %eax\n"
    "  xorl %ebx, %ebx\n"
    "  xorl %ecx, %ecx\n"
    "  xorl %edx, %edx\n"  // nothing to call at the end
    "  xorl %esi, %esi\n"
    "  xorl %edi, %edi\n"
    "  xorl %r8d, %r8d\n"
    "  xorl %r9d, %r9d\n"
    "  xorl %r10d, %r10d\n"
    "  xorl %r12d, %r12d\n"
    "  xorl %r13d, %r13d\n"
    "  xorl %r14d, %r14d\n"
    "  xorl %r15d, %r15d\n"
    "  jmp *%r11\n"
    ".size _start, . - _start\n"
    ".popsection\n");
