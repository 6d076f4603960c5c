#include "real/domains/pkey/gate.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>

#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "models/error.h"
#include "real/domains/pie/thread_state.h"
#include "real/domains/pkey/keys.h"
#include "real/fd.h"

namespace missive::domains::pkey {

using pie::Guest;
using pie::ThreadState;

static_assert(offsetof(ThreadState, keyed_selector) == 40 && offsetof(Guest, rights) == 24);

extern "C" {
std::int64_t missive_pkey_call(ThreadState*, Guest*, std::int32_t entry,
                               const std::uint8_t* request, std::size_t size, std::uint8_t* reply,
                               std::size_t capacity);
void missive_pkey_start(ThreadState*, std::uint64_t entry, std::uint64_t stack,
                        std::uint64_t rights);
void missive_pkey_ready(missive_pie_link*, missive_pie_service);
void missive_pkey_return();
void missive_pkey_on_system_call(int, siginfo_t*, void*);
void missive_pkey_on_fault(int, siginfo_t*, void*);
void missive_pkey_on_other(int, siginfo_t*, void*);
// Reached through the three above.
void missive_pie_on_system_call(int, siginfo_t*, void*);
void missive_pkey_fault(int, siginfo_t*, void*);
void missive_pkey_other(int, siginfo_t*, void*);
}

// clang-format off
asm(R"(
  .pushsection .text
  .p2align 6
  .globl missive_pkey_call
missive_pkey_call:
)" MISSIVE_SAVE_REGISTERS R"(
  mov %r8, %r12               # size
  mov %r9, %r13               # room for the reply
  mov 56(%rsp), %r8           # capacity, the seventh argument
  mov %rsp, 16(%rdi)
  mov 40(%rdi), %rax
  movb $1, (%rax)
  mov (%rsi), %rax
  wrfsbase %rax
  mov 8(%rsi), %r11
  mov 16(%rsi), %rsp
  mov 24(%rsi), %eax
  mov %edx, %edi
  mov %rcx, %rsi
  xor %ecx, %ecx
  xor %edx, %edx
  wrpkru
  and $3, %eax                # whoever jumped here for rights of the host's ends here
  cmp $3, %eax
  jne 1f
  mov %r12, %rdx
  mov %r13, %rcx
  call *%r11
  # Not by a register, which the guest may have spoilt: GS base is ours.
  .globl missive_pkey_return
missive_pkey_return:
  mov %rax, %r10
  xor %eax, %eax
  xor %ecx, %ecx
  xor %edx, %edx
  wrpkru
  mov %gs:0, %rdi
  mov 8(%rdi), %rdx
  wrfsbase %rdx               # before the selector: a handler looks there for whose FS base it is
  mov 40(%rdi), %rax
  movb $0, (%rax)
  mov 16(%rdi), %rsp
  mov %r10, %rax
)" MISSIVE_RESTORE_REGISTERS R"(
  cld
  ret
1:
  ud2

  .globl missive_pkey_start
missive_pkey_start:
)" MISSIVE_SAVE_REGISTERS R"(
  mov %rsp, 16(%rdi)
  mov 40(%rdi), %rax
  movb $1, (%rax)
  xor %eax, %eax
  wrfsbase %rax               # as after execve(2)
  mov %rdx, %rsp
  mov %ecx, %eax
  xor %ecx, %ecx
  xor %edx, %edx              # no function for atexit(), either
  xor %ebp, %ebp              # the outermost frame
  wrpkru
  and $3, %eax
  cmp $3, %eax
  jne 1b
  jmp *%rsi

  # Called by the guest's main(): leaves for good, and notes where calls may use the stack.
  .globl missive_pkey_ready
missive_pkey_ready:
  xor %eax, %eax
  xor %ecx, %ecx
  xor %edx, %edx
  wrpkru
  mov %gs:0, %rax
  mov 32(%rax), %rax
  mov %rsi, 8(%rax)
  lea -128(%rsp), %rdx
  and $-16, %rdx
  mov %rdx, 16(%rax)
  jmp missive_pkey_return

  # Handlers. Nothing may touch the stack before PKRU is written: its key is not among those the
  # kernel allows a handler.
  .globl missive_pkey_on_system_call
missive_pkey_on_system_call:
  lea missive_pie_on_system_call(%rip), %r11
  jmp 2f
  .globl missive_pkey_on_fault
missive_pkey_on_fault:
  lea missive_pkey_fault(%rip), %r11
  jmp 2f
  .globl missive_pkey_on_other
missive_pkey_on_other:
  lea missive_pkey_other(%rip), %r11
2:
  mov %rdx, %r8
  xor %eax, %eax
  xor %ecx, %ecx
  xor %edx, %edx
  wrpkru
  mov %r8, %rdx
  jmp *%r11
  .popsection
)");
// clang-format on

namespace {

constexpr char kWho[] = "pkey";
constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};

// ---- what all guests share: two keys, kept until this process ends ----

struct Shared {
  Key selector{kWho};      // of the page with a thread's selector: guests read it
  Key signal_stack{kWho};  // of the stacks for signals: guests write them
};
const Shared& shared() {
  static const Shared keys;
  return keys;
}
std::atomic<long> domains_alive{0};

// ---- handlers ----

struct sigaction before[NSIG];

void to_whoever_was_before(int number, siginfo_t* info, void* frame) {
  const struct sigaction& previous = before[number];
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr)
    return previous.sa_sigaction(number, info, frame);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
    return previous.sa_handler(number);
  ::signal(number, SIG_DFL);  // the instruction is tried again, and ends this process
}

bool in_guest(const ThreadState* thread) {
  return thread != nullptr && thread->armed != nullptr && thread->armed == thread->keyed_selector &&
         *thread->armed != 0;
}

using Handler = void(int, siginfo_t*, void*);

void install(int number, Handler* handler) {
  struct sigaction current {};
  if (::sigaction(number, nullptr, &current) != 0 || current.sa_sigaction == handler) return;
  before[number] = current;
  // Another signal between the kernel's rights for a handler and the handler's own would find no
  // stack it may write.
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  pie::set_raw_handler(number, handler, static_cast<std::uint64_t>(current.sa_flags & SA_RESTART),
                       kAll);
}

// The host's own handlers, which would else be entered on the guest's stack without access to it.
void wrap_other_handlers() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction current {};
    if (number == SIGSYS ||
        std::find(std::begin(kFaults), std::end(kFaults), number) != std::end(kFaults) ||
        ::sigaction(number, nullptr, &current) != 0)
      continue;
    if ((current.sa_flags & SA_SIGINFO) != 0 ||
        (current.sa_handler != SIG_DFL && current.sa_handler != SIG_IGN))
      install(number, missive_pkey_on_other);
  }
}

// ---- of a thread ----

// The kernel writes a thread's restartable-sequences area (rseq(2)), which is the host's memory,
// whenever it delivers a signal or has moved the thread, with the rights of whatever runs: to a
// guest that would be a fault. Without the area sched_getcpu(3) is a system call, and nothing else
// changes. False when there is none or it stays as it was.
bool restartable_sequences(int flags) {
  constexpr std::uint32_t kArea = 32;  // bytes, as the C library registers it
  if (__rseq_size == 0) return false;
  auto* area = static_cast<std::byte*>(__builtin_thread_pointer()) + __rseq_offset;
  return ::syscall(SYS_rseq, area, kArea, flags, RSEQ_SIG) == 0;
}

// The selector's page and the stack for signals.
class ThreadParts {
 public:
  ~ThreadParts() { give_back(); }

  // Again after a domain of another kind has put its own stack there.
  void make() {
    const bool first = !made_;
    if (first) {
      pages_ =
          Mapping::anonymous(pie::kPage + kStack, "pkey: a thread's selector and signal stack");
      const auto all = pages_.writable();
      tag(all.first(pie::kPage), PROT_READ | PROT_WRITE, shared().selector.number(), kWho);
      tag(all.subspan(pie::kPage), PROT_READ | PROT_WRITE, shared().signal_stack.number(), kWho);
      pie::state.keyed_selector = reinterpret_cast<volatile char*>(all.data());
      without_sequences_ = restartable_sequences(RSEQ_FLAG_UNREGISTER);
      made_ = true;
    }
    stack_t own{};
    own.ss_sp = pages_.writable().data() + pie::kPage;
    own.ss_size = kStack;
    if (::sigaltstack(&own, first ? &before_ : nullptr) != 0) throw_errno("pkey: sigaltstack");
  }

  void give_back() noexcept {
    if (!made_) return;
    pie::disarm_thread();
    pie::state.keyed_selector = nullptr;
    stack_t current{};
    if (::sigaltstack(nullptr, &current) == 0 &&
        current.ss_sp == pages_.writable().data() + pie::kPage)
      ::sigaltstack(&before_, nullptr);
    pages_ = Mapping();
    if (without_sequences_) restartable_sequences(0);
    made_ = false;
  }

 private:
  static constexpr std::size_t kStack = 64 * 1024;

  bool made_ = false;
  bool without_sequences_ = false;
  Mapping pages_;
  stack_t before_{};
};
thread_local ThreadParts parts;

ThreadState& armed_state() {
  ThreadState& s = pie::state;
  if (s.armed == nullptr || s.armed != s.keyed_selector) [[unlikely]] {
    set_rights(kEverything);
    parts.make();
    install(SIGSYS, missive_pkey_on_system_call);
    for (const int number : kFaults) install(number, missive_pkey_on_fault);
    wrap_other_handlers();
    pie::arm_thread(s.keyed_selector);
  }
  return s;
}

}  // namespace

// Entered with the guest's FS base: nothing thread-local, no stack protector, no instrumentation
// until it is clear whose fault it is.
extern "C" [[gnu::no_stack_protector, gnu::no_sanitize("address", "undefined", "thread")]] void
missive_pkey_fault(int number, siginfo_t* info, void* frame) {
  ThreadState* const thread = pie::state_by_gs();
  auto& context = static_cast<ucontext_t*>(frame)->uc_mcontext;
  if (!in_guest(thread) || !denies_host(rights_in_frame(context.fpregs)))
    return to_whoever_was_before(number, info, frame);
  *thread->armed = 0;
  pie::write_fs(thread->fs);
  thread->guest->ended = true;
  thread->guest->signal = number;
  thread->guest->status = info->si_code;
  context.gregs[REG_RIP] = reinterpret_cast<greg_t>(&missive_pkey_return);
}

extern "C" [[gnu::no_stack_protector, gnu::no_sanitize("address", "undefined", "thread")]] void
missive_pkey_other(int number, siginfo_t* info, void* frame) {
  ThreadState* const thread = pie::state_by_gs();
  if (!in_guest(thread)) return to_whoever_was_before(number, info, frame);
  // The guest's, or the host's already or still: a crossing may be under way.
  const std::uint64_t fs = pie::read_fs();
  *thread->armed = 0;
  pie::write_fs(thread->fs);
  to_whoever_was_before(number, info, frame);
  pie::write_fs(fs);
  *thread->armed = 1;
}

std::uint32_t guest_rights(int key) {
  return read_only(allow(allow(kNothing, key), shared().signal_stack.number()),
                   shared().selector.number());
}

void start_guest(Guest& guest, std::uint64_t entry, std::uint64_t stack) {
  ThreadState& thread = armed_state();
  pie::on_behalf_of(thread, guest,
                    [&] { missive_pkey_start(&thread, entry, stack, guest.rights); });
}

void (*guest_ready())(missive_pie_link*, missive_pie_service) { return missive_pkey_ready; }
bool catches_system_calls() {
  struct sigaction current {};
  return ::sigaction(SIGSYS, nullptr, &current) == 0 &&
         current.sa_sigaction == missive_pkey_on_system_call;
}

void (*guest_return())() { return missive_pkey_return; }

std::int64_t call_guest(Guest& guest, std::int32_t entry, const std::uint8_t* request,
                        std::size_t size, std::uint8_t* reply, std::size_t capacity) {
  ThreadState& thread = armed_state();
  return pie::on_behalf_of(thread, guest, [&] {
    return missive_pkey_call(&thread, &guest, entry, request, size, reply, capacity);
  });
}

Use::Use() {
  shared();
  domains_alive.fetch_add(1, std::memory_order_relaxed);
}

Use::~Use() {
  if (domains_alive.fetch_sub(1, std::memory_order_relaxed) > 1) return;
  parts.give_back();
  // That of other domains, whose system calls may block and be interrupted.
  if (catches_system_calls()) pie::set_raw_handler(SIGSYS, missive_pie_on_system_call);
}

}  // namespace missive::domains::pkey
