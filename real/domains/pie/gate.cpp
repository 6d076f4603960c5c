#include "real/domains/pie/gate.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include <linux/prctl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "models/error.h"
#include "real/domains/pie/thread_state.h"
#include "real/domains/pkey/gate.h"
#include "real/domains/pkey/keys.h"
#include "real/domains/trap.h"

namespace missive::domains::pie {

static_assert(offsetof(ThreadState, fs) == 8 && offsetof(ThreadState, stack) == 16 &&
              offsetof(ThreadState, selector) == 24 && offsetof(ThreadState, guest) == 32);
static_assert(offsetof(Guest, fs) == 0 && offsetof(Guest, service) == 8 &&
              offsetof(Guest, stack) == 16);

extern "C" {
std::int64_t missive_pie_call(ThreadState*, Guest*, std::int32_t entry, const std::uint8_t* request,
                              std::size_t size, std::uint8_t* reply, std::size_t capacity);
void missive_pie_start(ThreadState*, std::uint64_t entry, std::uint64_t stack, std::uint64_t fs);
void missive_pie_ready(missive_pie_link*, missive_pie_service);
void missive_pie_return();
void missive_pie_sigreturn();
void missive_pie_on_system_call(int, siginfo_t*, void*);
extern const char missive_pie_sigreturn_end[];
}

// clang-format off
asm(R"(
  .pushsection .text
  .p2align 6
  .globl missive_pie_call
missive_pie_call:
)" MISSIVE_SAVE_REGISTERS R"(
  mov 56(%rsp), %r10          # capacity, the seventh argument
  mov %rsp, 16(%rdi)
  mov (%rsi), %rax
  movb $1, 24(%rdi)
  wrfsbase %rax
  mov 8(%rsi), %rax
  mov 16(%rsi), %rsp
  mov %rdi, %rbx
  mov %edx, %edi
  mov %rcx, %rsi
  mov %r8, %rdx
  mov %r9, %rcx
  mov %r10, %r8
  call *%rax
  # Not by %rbx, which the guest may have spoilt: GS base is ours.
  .globl missive_pie_return
missive_pie_return:
  mov %gs:0, %rdi
  movb $0, 24(%rdi)
  mov 8(%rdi), %rdx
  wrfsbase %rdx
  mov 16(%rdi), %rsp
)" MISSIVE_RESTORE_REGISTERS R"(
  cld
  ret

  .globl missive_pie_start
missive_pie_start:
)" MISSIVE_SAVE_REGISTERS R"(
  mov %rsp, 16(%rdi)
  movb $1, 24(%rdi)
  wrfsbase %rcx
  mov %rsi, %rax
  mov %rdx, %rsp
  xor %edx, %edx              # no function for atexit()
  xor %ebp, %ebp              # the outermost frame
  jmp *%rax

  # Called by the guest's main(): leaves for good, and notes where calls may use the stack.
  .globl missive_pie_ready
missive_pie_ready:
  mov %gs:0, %rax
  mov 32(%rax), %rax
  mov %rsi, 8(%rax)
  lea -128(%rsp), %rdx
  and $-16, %rdx
  mov %rdx, 16(%rax)
  jmp missive_pie_return

  # The one place whose system call is never caught: leaves the handler after it has armed again.
  .globl missive_pie_sigreturn
missive_pie_sigreturn:
  mov $15, %eax
  syscall
  .globl missive_pie_sigreturn_end
missive_pie_sigreturn_end:
  ud2
  .popsection
)");
// clang-format on

constinit thread_local ThreadState state;

namespace {

std::atomic<long> domains_alive{0};

void write_gs(const void* value) { asm volatile("wrgsbase %0" : : "r"(value) : "memory"); }

// The kernel's own form (rt_sigaction(2)): glibc would put its restorer in, whose system call would
// be caught.
struct KernelAction {
  void (*handler)(int, siginfo_t*, void*);
  std::uint64_t flags;
  void (*restorer)();
  std::uint64_t mask;
};
constexpr std::uint64_t kRestorerGiven = 0x04000000;  // SA_RESTORER
constexpr int kCaughtByDispatch = 2;                  // SYS_USER_DISPATCH

// By the guest, or by a signal handler of the host that interrupted it?
bool made_by(const Guest& guest, const std::byte* at) {
  return (at >= guest.slot.base && at < guest.slot.stack.data() + guest.slot.stack.size()) ||
         guest.calls->owns(at);
}

void finish(ThreadState& thread, ucontext_t& frame) {
  Guest& guest = *thread.guest;
  greg_t* r = frame.uc_mcontext.gregs;
  const bool by_guest = made_by(guest, reinterpret_cast<const std::byte*>(r[REG_RIP]));
  const SystemCall call{r[REG_RAX], r[REG_RDI], r[REG_RSI], r[REG_RDX],
                        r[REG_R10], r[REG_R8],  r[REG_R9]};
  if (!by_guest && call.number == SYS_rt_sigreturn) {
    r[REG_RIP] = reinterpret_cast<greg_t>(&missive_pie_sigreturn);
    return;
  }
  if (by_guest)
    r[REG_RAX] = guest.calls->answer(guest, call);
  else if (guest.rights != 0 && pkey::denies_host(pkey::rights_in_frame(frame.uc_mcontext.fpregs)))
    r[REG_RAX] = -ENOSYS;  // a guest that jumped to a system call of the host's
  else
    r[REG_RAX] = to_kernel(call);
  if (guest.ended)
    r[REG_RIP] =
        reinterpret_cast<greg_t>(guest.rights != 0 ? pkey::guest_return() : &missive_pie_return);
}

}  // namespace

// Entered with the guest's FS base: nothing thread-local, no stack protector, no instrumentation
// until the host's is back.
extern "C" [[gnu::no_stack_protector, gnu::no_sanitize("address", "undefined", "thread")]] void
missive_pie_on_system_call(int, siginfo_t* info, void* frame) {
  if (info->si_code != kCaughtByDispatch) {  // not ours: what would have happened without us
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    ::sigaction(SIGSYS, &usual, nullptr);
    ::raise(SIGSYS);
    return;
  }
  ThreadState* const thread = state_by_gs();
  *thread->armed = 0;
  write_fs(thread->fs);
  const int error = errno;
  finish(*thread, *static_cast<ucontext_t*>(frame));
  errno = error;
  write_fs(thread->guest->fs);
  *thread->armed = 1;
}

void set_raw_handler(int number, void (*handler)(int, siginfo_t*, void*), std::uint64_t more_flags,
                     std::uint64_t blocked) {
  KernelAction action{};
  action.handler = handler;
  action.flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | kRestorerGiven | more_flags;
  action.restorer = missive_pie_sigreturn;
  action.mask = blocked;
  if (::syscall(SYS_rt_sigaction, number, &action, nullptr, sizeof action.mask) != 0)
    throw_errno("pie: sigaction for signal " + std::to_string(number));
}

void arm_thread(volatile char* selector) {
  state.self = &state;
  state.fs = read_fs();
  write_gs(&state);
  const auto from = reinterpret_cast<std::uint64_t>(&missive_pie_sigreturn);
  const auto length = reinterpret_cast<std::uint64_t>(missive_pie_sigreturn_end) - from + 1;
  *selector = 0;
  if (::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, from, length, selector) != 0)
    throw_errno("pie: prctl(PR_SET_SYSCALL_USER_DISPATCH)");
  state.armed = selector;
}

void disarm_thread() noexcept {
  if (state.armed != nullptr) ::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
  state.armed = nullptr;
  if (state.self != nullptr) write_gs(nullptr);
  state.self = nullptr;
}

namespace {

// Asked by signal handlers that may have interrupted a guest (trap.h).
[[gnu::no_stack_protector, gnu::no_sanitize("address", "undefined", "thread")]] std::uint64_t
host_thread_pointer() {
  const ThreadState* const thread = state_by_gs();
  return thread == nullptr ? 0 : thread->fs;
}

void install_handler() {
  set_thread_pointer_of_guest(host_thread_pointer);
  if (!pkey::catches_system_calls()) set_raw_handler(SIGSYS, missive_pie_on_system_call);
  // Syscall User Dispatch is not inherited by fork(2).
  ::pthread_atfork(nullptr, nullptr, [] { state.armed = nullptr; });
}

// The handler's stack must not be the guest's: that may be full, and its pages would be counted as
// the domain's. Owned by the thread; taken down when it ends.
class Arms {
 public:
  ~Arms() { disarm(); }

  void arm() {
    static const bool once = (install_handler(), true);
    static_cast<void>(once);
    own_stack();
    arm_thread(&state.selector);
  }

  void disarm() noexcept {
    disarm_thread();
    if (!stack_) return;
    stack_t current{};
    if (::sigaltstack(nullptr, &current) == 0 && current.ss_sp == stack_.get()) {
      stack_t none{};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
    stack_.reset();
  }

 private:
  void own_stack() {
    constexpr std::size_t kEnough = 32 * 1024;
    const std::size_t size = kEnough + static_cast<std::size_t>(::sysconf(_SC_SIGSTKSZ));
    stack_t current{};
    if (::sigaltstack(nullptr, &current) != 0) throw_errno("pie: sigaltstack");
    // Not that of domains behind keys: only their handlers can use it.
    if (state.keyed_selector == nullptr && !(current.ss_flags & SS_DISABLE) &&
        current.ss_size >= kEnough)
      return;
    if (!stack_) stack_ = std::make_unique_for_overwrite<std::byte[]>(size);
    stack_t own{};
    own.ss_sp = stack_.get();
    own.ss_size = size;
    if (::sigaltstack(&own, nullptr) != 0) throw_errno("pie: sigaltstack");
  }

  std::unique_ptr<std::byte[]> stack_;
};

thread_local Arms arms;

ThreadState& armed_state() {
  if (state.armed != &state.selector) [[unlikely]]
    arms.arm();
  return state;
}

}  // namespace

void Guest::unmap_all() noexcept {
  for (const std::span<std::byte> m : maps) ::munmap(m.data(), m.size());
  maps.clear();
}

std::string gate_unavailable() {
  constexpr unsigned long kFsgsbase = 2;  // HWCAP2_FSGSBASE
  if (!(::getauxval(AT_HWCAP2) & kFsgsbase))
    return "user code may not write FS base on this kernel or CPU (needs Linux 5.9 and fsgsbase)";
  if (!state.armed && ::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) != 0)
    return "this kernel has no Syscall User Dispatch (needs Linux 5.11, x86)";
  return {};
}

bool leave_guest(int fault, void* context) {
  if (state.guest == nullptr) return false;
  Guest& guest = *state.guest;
  greg_t* r = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  if (fault != 0) {
    if (!made_by(guest, reinterpret_cast<const std::byte*>(r[REG_RIP]))) return false;
    guest.signal = fault;
    guest.status = 128 + fault;
  }
  guest.ended = true;
  guest.late = fault == 0;
  // A guest whose system call is being answered goes when it is.
  if (state.selector != 0)
    r[REG_RIP] = reinterpret_cast<greg_t>(&missive_pie_return);
  else
    give_up_kernel_call(r[REG_RIP], r[REG_RAX]);
  return true;
}

GateUse::GateUse() { domains_alive.fetch_add(1, std::memory_order_relaxed); }
GateUse::~GateUse() {
  if (domains_alive.fetch_sub(1, std::memory_order_relaxed) == 1 && state.armed) arms.disarm();
}

void start_guest(Guest& guest, std::uint64_t entry, std::uint64_t stack) {
  if (guest.rights != 0) return pkey::start_guest(guest, entry, stack);
  ThreadState& thread = armed_state();
  // Until it sets its own, FS base is 0 for it, as after execve(2).
  on_behalf_of(thread, guest, [&] { missive_pie_start(&thread, entry, stack, 0); });
}

void (*guest_ready())(missive_pie_link*, missive_pie_service) { return missive_pie_ready; }

std::int64_t call_guest(Guest& guest, std::int32_t entry, const std::uint8_t* request,
                        std::size_t size, std::uint8_t* reply, std::size_t capacity) {
  ThreadState& thread = armed_state();
  return on_behalf_of(thread, guest, [&] {
    return missive_pie_call(&thread, &guest, entry, request, size, reply, capacity);
  });
}

}  // namespace missive::domains::pie
