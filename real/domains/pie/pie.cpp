#include "real/domains/pie/pie.h"

#include <atomic>
#include <cstring>
#include <mutex>

#include <elf.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include "real/domains/mechanism_list.h"
#include "real/domains/message.h"
#include "real/domains/pie/gate.h"

#ifdef MISSIVE_PIE_GUEST
extern "C" const std::byte missive_pie_image[];
extern "C" const std::byte missive_pie_image_end[];
#endif

namespace missive::domains::pie {

namespace {

constexpr const char* kProgramName = "pie-domain";

// Builds what execve(2) leaves at the top of a new program's stack (System V ABI for
// x86-64, 3.4.1).
class InitialStack {
 public:
  explicit InitialStack(const Slot& slot) : top_(slot.stack.data() + slot.stack.size()) {}

  std::uint64_t push(const void* data, std::size_t size) {
    top_ -= (size + 15) & ~std::size_t{15};
    std::memcpy(top_, data, size);
    return reinterpret_cast<std::uint64_t>(top_);
  }

 private:
  std::byte* top_;
};

// 16 bytes a domain for AT_RANDOM: from the kernel once, then stirred (splitmix64).
std::uint64_t stir() {
  static std::atomic<std::uint64_t> seed{[] {
    std::uint64_t s = 0;
    if (::getrandom(&s, sizeof s, 0) < 0) s = 0;
    return s;
  }()};
  std::uint64_t z = seed.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::uint64_t build_stack(const Program& program, const Slot& slot, const missive_pie_link* link) {
  InitialStack stack(slot);
  const std::uint64_t random[2] = {stir(), stir()};
  const std::uint64_t random_at = stack.push(random, sizeof random);
  const std::uint64_t name = stack.push(kProgramName, std::strlen(kProgramName) + 1);
  const auto base = reinterpret_cast<std::uint64_t>(slot.base);
  const std::uint64_t words[] = {1,
                                 name,
                                 0,  // argc, argv
                                 0,  // envp
                                 AT_PHDR,
                                 base + program.headers,
                                 AT_PHENT,
                                 sizeof(Elf64_Phdr),
                                 AT_PHNUM,
                                 program.header_count,
                                 AT_PAGESZ,
                                 kPage,
                                 AT_BASE,
                                 0,
                                 AT_ENTRY,
                                 base + program.entry,
                                 AT_UID,
                                 ::getauxval(AT_UID),
                                 AT_EUID,
                                 ::getauxval(AT_EUID),
                                 AT_GID,
                                 ::getauxval(AT_GID),
                                 AT_EGID,
                                 ::getauxval(AT_EGID),
                                 AT_SECURE,
                                 0,
                                 AT_RANDOM,
                                 random_at,
                                 AT_HWCAP,
                                 ::getauxval(AT_HWCAP),
                                 AT_SYSINFO_EHDR,
                                 ::getauxval(AT_SYSINFO_EHDR),
                                 AT_EXECFN,
                                 name,
                                 MISSIVE_PIE_LINK,
                                 reinterpret_cast<std::uint64_t>(link),
                                 AT_NULL,
                                 0};
  static_assert(sizeof words % 16 == 0);  // the stack pointer must be aligned to 16 at the entry
  return stack.push(words, sizeof words);
}

class PieDomain final : public Domain {
 public:
  PieDomain(std::shared_ptr<Pool> pool, const DomainOptions& options)
      : pool_(std::move(pool)), limit_(options.max_message) {
    if (options.shared_bytes > 0)
      shared_ = Mapping::anonymous(options.shared_bytes, "pie: shared memory");
    guest_.slot = pool_->take();
    guest_.heap_top = guest_.slot.heap.size();
    try {
      begin();
    } catch (...) {
      end();
      throw;
    }
  }
  ~PieDomain() override { end(); }
  PieDomain(const PieDomain&) = delete;
  PieDomain& operator=(const PieDomain&) = delete;

  // Request and reply are passed by pointer: it is one address space.
  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (!lies_in(request, shared_.bytes()))
      check_message("pie", request.size(), reply.size(), limit_);
    if (guest_.ended) [[unlikely]]
      throw DomainFault("pie: the domain has ended");
    const std::int64_t answer =
        call_guest(guest_, static_cast<std::int32_t>(entry), as_bytes(request), request.size(),
                   as_bytes(reply), reply.size());
    if (guest_.ended) [[unlikely]]
      throw DomainFault("pie: the domain ended during a call, exit status " +
                        std::to_string(guest_.status));
    return checked_answer("pie", answer, reply.size());
  }

  std::span<std::byte> shared() override { return shared_.writable(); }

 private:
  void begin() {
    missive_pie_link link{guest_ready()};
    const Program& program = pool_->program();
    start_guest(guest_, reinterpret_cast<std::uint64_t>(guest_.slot.base) + program.entry,
                build_stack(program, guest_.slot, &link));
    if (guest_.ended)
      throw RunError(pool_->name() + ": the program ended with status " +
                     std::to_string(guest_.status) + " before it offered its service" +
                     (guest_.log.empty() ? "" : ", saying: " + guest_.log));
  }
  void end() noexcept {
    guest_.unmap_all();
    pool_->give_back(guest_.slot);
  }

  GateUse use_;
  std::shared_ptr<Pool> pool_;
  std::size_t limit_;
  Mapping shared_;
  Guest guest_;
};

// Kept while a domain lives: the first pays for the pool, the last takes it down.
std::shared_ptr<Pool> built_in_pool() {
  static std::mutex mutex;
  static std::weak_ptr<Pool> kept;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Pool> pool = kept.lock();
  if (!pool) kept = pool = std::make_shared<Pool>(built_in_image(), "pie");
  return pool;
}

std::string unavailable() {
  if (built_in_image().empty())
    return "built without musl, whose start files and library the domain needs; install the "
           "Debian package musl-tools and build again";
  return gate_unavailable();
}

}  // namespace

std::span<const std::byte> built_in_image() {
#ifdef MISSIVE_PIE_GUEST
  return {missive_pie_image, missive_pie_image_end};
#else
  return {};
#endif
}

std::unique_ptr<Domain> start(std::shared_ptr<Pool> pool, const DomainOptions& options) {
  return std::make_unique<PieDomain>(std::move(pool), options);
}

}  // namespace missive::domains::pie

namespace missive::domains {

Mechanism pie_mechanism() {
  Mechanism m;
  m.name = "pie";
  m.what =
      "a static PIE (musl) with its own code, data, stack, thread-local storage and heap in this "
      "process, no boundary; a crossing saves the six callee-saved registers, changes the stack "
      "and FS base and arms the catching of system calls (Syscall User Dispatch); messages by "
      "pointer";
  m.same_process = true;
  m.unavailable = pie::unavailable;
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    if (const std::string why = pie::unavailable(); !why.empty()) throw NotAvailable("pie: " + why);
    return pie::start(pie::built_in_pool(), options);
  };
  return m;
}

}  // namespace missive::domains
