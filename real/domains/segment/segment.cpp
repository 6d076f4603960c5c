// The service as 32-bit code in segments of this process (mechanism "segment"): the processor holds
// every access to base and limit, as it did before there was 64-bit code. A call is a far jump into
// the segment with its data segment loaded, and a far return; what the guest cannot reach lies
// below it:
//
//   landing  64-bit code that comes back into this program        read, execute
//   context  the host's stack pointer, FS and GS base             read, write
//   segment  a page nobody may touch, stack, image, messages      from here on the guest sees
//
// The limit holds 32-bit code only. One far jump to the kernel's 64-bit segment leaves it, and `int
// $0x80` enters the kernel: without a verifier of its instructions, which NaCl had (Yee et al.,
// IEEE S&P 2009), this catches stray accesses and no hostile guest, so nothing is claimed.

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>

#include <sys/auxv.h>
#include <sys/mman.h>

#include "models/error.h"
#include "real/domains/map_limit.h"
#include "real/domains/mechanism_list.h"
#include "real/domains/message.h"
#include "real/domains/segment/descriptor_table.h"
#include "real/domains/segment/guest/segment.h"
#include "real/domains/trap.h"

namespace missive::domains::segment {

// Read and written by the code below: order and offsets matter.
struct Context {
  std::uint64_t stack = 0;               // 0: the host's, during a call
  std::uint64_t fs = 0, gs = 0;          // 8, 16
  void (*back)() = nullptr;              // 24: missive_segment_return
  std::uint32_t entry = 0;               // 32: a far pointer: where calls go in
  std::uint16_t code = 0;                // 36
  std::uint16_t data = 0;                // 38
  std::uint32_t guest_stack = 0;         // 40
  std::uint16_t host_stack_segment = 0;  // 44
};
static_assert(offsetof(Context, back) == 24 && offsetof(Context, entry) == 32 &&
              offsetof(Context, code) == 36 && offsetof(Context, data) == 38 &&
              offsetof(Context, guest_stack) == 40 && offsetof(Context, host_stack_segment) == 44);

extern "C" {
std::int64_t missive_segment_call(Context*);
void missive_segment_return();
extern const char missive_segment_landing[], missive_segment_landing_end[];
#ifdef MISSIVE_SEGMENT_GUEST
extern const std::byte missive_segment_image[], missive_segment_image_end[];
#endif
}

// clang-format off
asm(R"(
  .pushsection .text
  .p2align 4
  .globl missive_segment_call
missive_segment_call:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  rdfsbase %rax
  mov %rax, 8(%rdi)
  rdgsbase %rax
  mov %rax, 16(%rdi)
  mov %ss, 44(%rdi)
  movzwl 38(%rdi), %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov 40(%rdi), %esp
  ljmpl *32(%rdi)

  # Copied in front of each segment, a page before its context: the one address the guest is given.
  .globl missive_segment_landing
missive_segment_landing:
  .byte 0x48, 0x8d, 0x1d      # lea context(%rip), %rbx
  .long 4096 - 7
  jmp *24(%rbx)
  .globl missive_segment_landing_end
missive_segment_landing_end:

  # Nothing the guest may have changed is relied on: the bases of FS and GS change when it loads
  # the registers.
  .globl missive_segment_return
missive_segment_return:
  mov (%rbx), %rsp
  movzwl 44(%rbx), %ecx
  mov %ecx, %ss
  mov %ecx, %ds               # any of the kernel's: to load none takes ten times as long
  mov %ecx, %es
  rdfsbase %rcx
  cmp 8(%rbx), %rcx
  jne 2f
1:
  rdgsbase %rcx
  cmp 16(%rbx), %rcx
  jne 4f
3:
  mov %eax, %eax
  shl $32, %rdx
  or %rdx, %rax
  cld
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
2:
  xor %ecx, %ecx
  mov %ecx, %fs
  mov 8(%rbx), %rcx
  wrfsbase %rcx
  jmp 1b
4:
  xor %ecx, %ecx
  mov %ecx, %gs
  mov 16(%rbx), %rcx
  wrgsbase %rcx
  jmp 3b
  .popsection
)");
// clang-format on

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kFront = 2 * kPage;  // landing and context
constexpr std::size_t kMostMemory = 512 << 20;

std::size_t pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

std::span<const std::byte> image() {
#ifdef MISSIVE_SEGMENT_GUEST
  return {missive_segment_image, missive_segment_image_end};
#else
  return {};
#endif
}

// Contexts by pairs of segments, for a signal that finds the processor in one: what was loaded into
// FS there is not this program's thread pointer.
std::array<std::atomic<const Context*>, kEntries / 2> contexts;

std::uint64_t thread_pointer(std::uint16_t code) {
  const Context* c = contexts[Segments::pair(code)].load(std::memory_order_acquire);
  return c == nullptr ? 0 : c->fs;
}

// Memory below 2 GiB, where a segment's base can be.
class LowMemory {
 public:
  explicit LowMemory(std::size_t size) : size_(size) {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) fail("no " + std::to_string(size) + " bytes below 2 GiB");
    data_ = static_cast<std::byte*>(at);
  }
  LowMemory(const LowMemory&) = delete;
  LowMemory& operator=(const LowMemory&) = delete;
  ~LowMemory() { ::munmap(data_, size_); }

  std::byte* data() { return data_; }
  void protect(std::size_t from, std::size_t size, int protection) {
    if (::mprotect(data_ + from, size, protection) != 0) fail("mprotect");
  }

 private:
  [[noreturn]] static void fail(const std::string& what) {
    const int error = errno;
    const std::string limit = map_limit_reached();
    throw RunError("segment: " + what + ": " +
                   (limit.empty() ? std::string(std::strerror(error)) : limit));
  }

  std::byte* data_ = nullptr;
  std::size_t size_;
};

// Offsets into the segment.
struct Layout {
  std::size_t request, reply, shared, end;

  explicit Layout(const DomainOptions& options) {
    if (options.max_message > kMostMemory || options.shared_bytes > kMostMemory)
      throw InputError("segment: messages and shared memory lie below 2 GiB; at most " +
                       std::to_string(kMostMemory >> 20) + " MiB each");
    request = pages(MISSIVE_SEGMENT_IMAGE + image().size());
    reply = request + pages(options.max_message);
    shared = reply + pages(options.max_message);
    end = shared + pages(options.shared_bytes);
  }
};

struct Crossing {
  Context* context;
  std::int64_t answer;

  static void cross(Crossing& c) { c.answer = missive_segment_call(c.context); }
};

class SegmentDomain final : public Domain {
 public:
  explicit SegmentDomain(const DomainOptions& options)
      : layout_(options),
        memory_(kFront + layout_.end),
        base_(memory_.data() + kFront),
        segments_(address(base_), layout_.end),
        limit_(options.max_message),
        shared_{base_ + layout_.shared, options.shared_bytes} {
    fill();
    scope_.guarded = {base_, kPage};
    scope_.deadline = options.deadline;
    scope_.code_segment = segments_.code();
    crossing_.context = new (memory_.data() + kPage) Context;
    Context& c = *crossing_.context;
    c.back = missive_segment_return;
    c.entry = MISSIVE_SEGMENT_IMAGE;
    c.code = segments_.code();
    c.data = segments_.data();
    c.guest_stack = static_cast<std::uint32_t>(MISSIVE_SEGMENT_IMAGE - sizeof(Frame));
    contexts[Segments::pair(c.code)].store(&c, std::memory_order_release);
  }
  SegmentDomain(const SegmentDomain&) = delete;
  SegmentDomain& operator=(const SegmentDomain&) = delete;
  ~SegmentDomain() override {
    contexts[Segments::pair(segments_.code())].store(nullptr, std::memory_order_release);
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (ended_) [[unlikely]]
      throw DomainFault("segment: the domain has ended; it can only be destroyed");
    Frame frame{static_cast<std::int32_t>(entry),
                0,
                static_cast<std::uint32_t>(request.size()),
                0,
                static_cast<std::uint32_t>(reply.size()),
                address(base_),
                address(memory_.data()),
                long_code_segment_};
    const bool in_place = place(request, layout_.request, frame.request);
    const bool reply_in_place = place(reply, layout_.reply, frame.reply);
    if (!in_place && !request.empty())
      std::memcpy(base_ + frame.request, request.data(), request.size());
    std::memcpy(base_ + crossing_.context->guest_stack, &frame, sizeof frame);
    const Outcome outcome = run_contained<Crossing::cross>(scope_, crossing_);
    if (outcome.trap != Trap::none) [[unlikely]]
      end(outcome);
    if (crossing_.answer < -1 || crossing_.answer > static_cast<std::int64_t>(reply.size()))
        [[unlikely]]
      ended_ = true;
    const std::size_t length = checked_answer("segment", crossing_.answer, reply.size());
    if (!reply_in_place && length != 0) std::memcpy(reply.data(), base_ + frame.reply, length);
    return length;
  }

  std::span<std::byte> shared() override { return shared_; }

 private:
  // What lies on the guest's stack when it is entered (guest/start.c).
  struct Frame {
    std::int32_t entry;
    std::uint32_t request, size, reply, capacity, base;
    std::uint32_t landing;
    std::uint32_t landing_segment;
  };

  static std::uint32_t address(const std::byte* low) {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(low));
  }

  void fill() {
    std::memcpy(memory_.data(), missive_segment_landing,
                static_cast<std::size_t>(missive_segment_landing_end - missive_segment_landing));
    std::memcpy(base_ + MISSIVE_SEGMENT_IMAGE, image().data(), image().size());
    memory_.protect(0, kPage, PROT_READ | PROT_EXEC);
    memory_.protect(kFront, kPage, PROT_NONE);
    // All but the last page, which is written.
    memory_.protect(kFront + MISSIVE_SEGMENT_IMAGE, image().size() - kPage, PROT_READ | PROT_EXEC);
    std::uint16_t code = 0;
    asm("mov %%cs, %0" : "=r"(code));
    long_code_segment_ = code;
  }

  bool place(std::span<const std::byte> message, std::size_t area, std::uint32_t& at) const {
    if (lies_in(message, shared_)) {
      at = static_cast<std::uint32_t>(message.data() - base_);
      return true;
    }
    check_message("segment", message.size(), 0, limit_);
    at = static_cast<std::uint32_t>(area);
    return false;
  }

  [[noreturn, gnu::cold, gnu::noinline]] void end(const Outcome& outcome) {
    // Left by a jump: these are still the guest's.
    const Context& c = *crossing_.context;
    asm volatile("mov %0, %%ds\n mov %0, %%es\n mov %1, %%gs\n wrgsbase %2"
                 :
                 : "r"(std::uint32_t{c.host_stack_segment}), "r"(0), "r"(c.gs));
    ended_ = true;
    throw DomainFault("segment: the guest " + describe(outcome.trap) + " and was ended");
  }

  Layout layout_;
  LowMemory memory_;
  std::byte* base_;
  Segments segments_;
  std::size_t limit_;
  std::span<std::byte> shared_;
  TrapScope scope_;
  Crossing crossing_{};
  std::uint32_t long_code_segment_ = 0;
  bool ended_ = false;
};

std::string find_out() {
  constexpr unsigned long kFsgsbase = 2;  // HWCAP2_FSGSBASE
  if (image().empty())
    return "built with a compiler that makes no 32-bit code; Debian's gcc does (cc -m32)";
  if ((::getauxval(AT_HWCAP2) & kFsgsbase) == 0)
    return "user code may not read FS base on this kernel or CPU (needs Linux 5.9 and fsgsbase)";
  return segments_unavailable();
}

std::string unavailable() {
  static const std::string why = find_out();
  return why;
}

}  // namespace

}  // namespace missive::domains::segment

namespace missive::domains {

Mechanism segment_mechanism() {
  Mechanism m;
  m.name = "segment";
  m.what =
      "the service as 32-bit code, held to a segment's base and limit by the processor (LDT), "
      "which "
      "a hostile guest leaves by one far jump: no boundary; a crossing saves the six callee-saved "
      "registers and FS and GS base, loads the three data segments and jumps far; messages copied "
      "in and out";
  m.same_process = true;
  m.unavailable = segment::unavailable;
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    if (const std::string why = segment::unavailable(); !why.empty())
      throw NotAvailable("segment: " + why);
    set_thread_pointer_of_segment(segment::thread_pointer);
    prepare_traps(options.deadline);
    return std::make_unique<segment::SegmentDomain>(options);
  };
  return m;
}

}  // namespace missive::domains
