// The service as a coroutine: its own stack in this process, reached by exchanging stack pointers.
//
// A switch saves and restores what a C function must preserve: rbx, rbp, r12 to r15 and the stack
// pointer (System V ABI for AMD64, section 3.2.1); r12 to r15 are kept by the compiler, which is
// told that the switch destroys them. Not saved: mxcsr and the x87 control word, which the service
// never changes; vector registers, which every call may destroy; fs and gs base, the signal mask
// and all kernel state, which both sides share. It isolates nothing but the stack: one guard page
// lies below it.

#include "real/domains/coroutine.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "real/domains/mechanism_list.h"
#include "real/fd.h"

extern "C" void missive_stack_entry();  // first code on a new stack: rbx(rbp)

asm(R"(
.pushsection .text
.p2align 4
.globl missive_stack_entry
.hidden missive_stack_entry
.type missive_stack_entry, @function
missive_stack_entry:
  movq %rbp, %rdi
  call *%rbx
  ud2
.size missive_stack_entry, . - missive_stack_entry
.popsection
)");

namespace missive::domains {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStack = 64 * 1024;

// What lies on a stack that is not running, from its stack pointer up.
struct Suspended {
  void* next;  // where it goes on
  void* rbx;
  void* rbp;
};

// Leaves this stack (its pointer goes to *keep) and goes on with another. In line and by jumps:
// with a call or a return in it, the processor's return stack would lose its count, and the next
// return of each side would be mispredicted. The first instruction steps over the red zone.
[[gnu::always_inline]] inline void switch_stack(void** keep, void* next) {
  asm volatile(R"(
    leaq -128(%%rsp), %%rsp
    leaq 1f(%%rip), %%rax
    pushq %%rbp
    pushq %%rbx
    pushq %%rax
    movq %%rsp, (%%rdi)
    movq %%rsi, %%rsp
    popq %%rax
    popq %%rbx
    popq %%rbp
    jmp *%%rax
  1:
    leaq 128(%%rsp), %%rsp
  )"
               : "+D"(keep), "+S"(next)
               :
               : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
                 "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                 "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
}

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
    // Behind the frame the stack pointer is a multiple of 16, as the ABI wants it before a call.
    const Suspended start{reinterpret_cast<void*>(&missive_stack_entry),
                          reinterpret_cast<void*>(&CoroutineDomain::run), this};
    std::byte* at = stack_.top() - 16 - sizeof start;
    std::memcpy(at, &start, sizeof start);
    service_stack_ = at;
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (!lies_in(request, shared_.bytes()))
      check_message("coroutine", request.size(), reply.size(), limit_);
    entry_ = entry;
    request_ = request;
    reply_ = reply;
    switch_stack(&caller_stack_, service_stack_);
    return checked_answer("coroutine", answer_, reply.size());
  }

  std::span<std::byte> shared() override { return shared_.writable(); }

 private:
  static void run(CoroutineDomain* self) {
    for (;;) {
      self->answer_ =
          self->service_(static_cast<std::int32_t>(self->entry_), as_bytes(self->request_),
                         self->request_.size(), as_bytes(self->reply_), self->reply_.size());
      switch_stack(&self->service_stack_, self->caller_stack_);
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
  m.by_pointer = true;
  m.unavailable = [] { return std::string(); };
  m.create = [](const DomainOptions& options) { return make_coroutine_domain(options); };
  return m;
}

}  // namespace missive::domains
