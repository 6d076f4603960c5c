// The service as a coroutine: its own stack in this process, reached by exchanging stack pointers.
//
// A switch saves and restores what a C function must preserve: rbx, rbp, r12 to r15 and the stack
// pointer (System V ABI for AMD64, section 3.2.1). Not saved: mxcsr and the x87 control word, which
// the service never changes; vector registers, which every call may destroy; fs and gs base, the
// signal mask and all kernel state, which both sides share. It isolates nothing but the stack: one
// guard page lies below it.

#include "real/domains/coroutine.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "real/domains/mechanism_list.h"
#include "real/fd.h"

extern "C" {
// Saves the six registers and the stack pointer (to *keep), then continues where `next` left off.
void missive_switch_stack(void** keep, void* next);
// First code on a new stack: calls rbx(r12).
void missive_stack_entry();
}

// The return address is popped and jumped to: a `ret` would be mispredicted each time, because the
// processor's return stack knows only the other side's calls.
asm(R"(
.pushsection .text
.p2align 4
.globl missive_switch_stack
.hidden missive_switch_stack
.type missive_switch_stack, @function
missive_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size missive_switch_stack, . - missive_switch_stack
.p2align 4
.globl missive_stack_entry
.hidden missive_stack_entry
.type missive_stack_entry, @function
missive_stack_entry:
  movq %r12, %rdi
  call *%rbx
  ud2
.size missive_stack_entry, . - missive_stack_entry
.popsection
)");

namespace missive::domains {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStack = 64 * 1024;

// One guard page, then the stack.
class GuardedStack {
 public:
  GuardedStack() {
    void* p = ::mmap(nullptr, kPage + kStack, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (p == MAP_FAILED) fail();
    base_ = static_cast<std::byte*>(p);
    if (::mprotect(base_ + kPage, kStack, PROT_READ | PROT_WRITE) != 0) {
      const int error = errno;
      ::munmap(base_, kPage + kStack);
      errno = error;
      fail();
    }
  }
  GuardedStack(const GuardedStack&) = delete;
  GuardedStack& operator=(const GuardedStack&) = delete;
  ~GuardedStack() { ::munmap(base_, kPage + kStack); }
  std::byte* top() const { return base_ + kPage + kStack; }

 private:
  [[noreturn]] static void fail() {
    throw_errno("coroutine: no memory for a stack (limits: vm.max_map_count, memory)");
  }
  std::byte* base_ = nullptr;
};

class CoroutineDomain final : public Domain {
 public:
  CoroutineDomain(const DomainOptions& options, ServiceFunction service)
      : limit_(options.max_message), service_(service) {
    if (options.shared_bytes > 0)
      shared_ = Mapping::anonymous(options.shared_bytes, "coroutine: shared memory");
    // As missive_switch_stack() expects it: r15, r14, r13, r12, rbx, rbp, where to continue. Behind
    // that the stack pointer is a multiple of 16, as the ABI wants it before a call.
    void* frame[8] = {};
    frame[3] = this;
    frame[4] = reinterpret_cast<void*>(&CoroutineDomain::run);
    frame[6] = reinterpret_cast<void*>(&missive_stack_entry);
    static_assert(sizeof frame == 64);
    std::byte* at = stack_.top() - sizeof frame - 8;
    std::memcpy(at, frame, sizeof frame);
    service_stack_ = at;
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (!lies_in(request, shared_.bytes()))
      check_message("coroutine", request.size(), reply.size(), limit_);
    entry_ = entry;
    request_ = request;
    reply_ = reply;
    missive_switch_stack(&caller_stack_, service_stack_);
    return checked_answer("coroutine", answer_, reply.size());
  }

  std::span<std::byte> shared() override { return shared_.writable(); }

 private:
  static void run(CoroutineDomain* self) {
    for (;;) {
      self->answer_ =
          self->service_(static_cast<std::int32_t>(self->entry_), as_bytes(self->request_),
                         self->request_.size(), as_bytes(self->reply_), self->reply_.size());
      missive_switch_stack(&self->service_stack_, self->caller_stack_);
    }
  }

  std::size_t limit_;
  ServiceFunction service_;
  GuardedStack stack_;
  void* service_stack_ = nullptr;
  void* caller_stack_ = nullptr;
  Entry entry_ = Entry::null;
  std::span<const std::byte> request_;
  std::span<std::byte> reply_;
  std::int64_t answer_ = 0;
  Mapping shared_;
};

}  // namespace

std::unique_ptr<Domain> make_coroutine_domain(const DomainOptions& options,
                                              ServiceFunction service) {
  return std::make_unique<CoroutineDomain>(options, service);
}

Mechanism coroutine_mechanism() {
  Mechanism m;
  m.name = "coroutine";
  m.what =
      "an own stack in the same thread, no protection but a guard page; six callee-saved registers "
      "and the stack pointer exchanged, no control words, messages by pointer";
  m.same_process = true;
  m.unavailable = [] { return std::string(); };
  m.create = [](const DomainOptions& options) { return make_coroutine_domain(options); };
  return m;
}

}  // namespace missive::domains
