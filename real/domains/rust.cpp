// The service as a crate of safe Rust (guests/rust), called in place: the compiler checked what the
// other mechanisms check while it runs. Its panics, a stack it overflows and a loop it never leaves
// end the call by the way of trap.h: the crate owns nothing that would have to be given back, and
// neither does the code that it is made to run on (no std, no allocator, no lock).

#include "real/domains/mechanism_list.h"

#ifdef MISSIVE_WITH_RUST

#include "real/domains/message.h"
#include "real/domains/trap.h"
#include "real/fd.h"

extern "C" {
// guests/rust/shim.rs
std::int64_t missive_rust_guest(std::int32_t entry, const std::uint8_t* request, std::size_t size,
                                std::uint8_t* reply, std::size_t capacity);
// What a panic calls, with the line it happened in.
[[noreturn]] void missive_rust_panic(std::uint32_t line);
}

void missive_rust_panic(std::uint32_t line) {
  missive::domains::raise_trap(missive::domains::Trap::guest, static_cast<int>(line));
}

#endif

namespace missive::domains {

namespace {

#ifdef MISSIVE_WITH_RUST

struct Crossing {
  std::int32_t entry;
  const std::uint8_t* request;
  std::size_t size;
  std::uint8_t* reply;
  std::size_t capacity;
  std::int64_t answer;

  static void cross(Crossing& c) {
    c.answer = missive_rust_guest(c.entry, c.request, c.size, c.reply, c.capacity);
  }
};

class RustDomain final : public Domain {
 public:
  explicit RustDomain(const DomainOptions& options) : limit_(options.max_message) {
    scope_.deadline = options.deadline;
    if (options.shared_bytes > 0)
      shared_ = Mapping::anonymous(options.shared_bytes, "safe-rust: shared memory");
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (ended_) [[unlikely]]
      refuse_ended();
    if (!lies_in(request, shared_.bytes()))
      check_message("safe-rust", request.size(), reply.size(), limit_);
    // A slice that is written must be the only one to its bytes: a rule of the language.
    if (request.data() < reply.data() + reply.size() &&
        reply.data() < request.data() + request.size()) [[unlikely]]
      refuse_overlap();
    Crossing c{static_cast<std::int32_t>(entry),
               as_bytes(request),
               request.size(),
               as_bytes(reply),
               reply.size(),
               0};
    const Outcome outcome = run_contained<Crossing::cross>(scope_, c);
    if (outcome.trap != Trap::none) [[unlikely]]
      end(outcome);
    if (c.answer < 0 || c.answer > static_cast<std::int64_t>(reply.size())) [[unlikely]]
      refuse(c.answer, reply.size());
    return static_cast<std::size_t>(c.answer);
  }

  std::span<std::byte> shared() override { return shared_.writable(); }

 private:
  [[noreturn, gnu::cold, gnu::noinline]] void refuse_ended() const {
    throw DomainFault("safe-rust: the domain has ended; it can only be destroyed");
  }
  [[noreturn, gnu::cold, gnu::noinline]] void refuse_overlap() const {
    throw InputError("safe-rust: request and reply overlap; give the reply memory of its own");
  }
  [[noreturn, gnu::cold, gnu::noinline]] void refuse(std::int64_t answer, std::size_t capacity) {
    if (answer != -1) ended_ = true;
    refuse_answer("safe-rust", answer, capacity);
  }
  [[noreturn, gnu::cold, gnu::noinline]] void end(const Outcome& outcome) {
    ended_ = true;
    throw DomainFault("safe-rust: the crate " +
                      (outcome.trap == Trap::guest
                           ? "panicked in line " + std::to_string(outcome.code)
                           : describe(outcome.trap)) +
                      " and was ended");
  }

  std::size_t limit_;
  TrapScope scope_;
  Mapping shared_;
  bool ended_ = false;
};

std::string unavailable() { return {}; }
std::unique_ptr<Domain> create(const DomainOptions& options) {
  prepare_traps(options.deadline);
  return std::make_unique<RustDomain>(options);
}

#else

std::string unavailable() {
  return "built without Rust; install the Debian package rustc and build again";
}
std::unique_ptr<Domain> create(const DomainOptions&) { throw NotAvailable(unavailable()); }

#endif

}  // namespace

Mechanism safe_rust_mechanism() {
  Mechanism m;
  m.name = "safe-rust";
  m.what =
      "a no_std crate of safe Rust behind a C function; the callee-saved registers are saved, "
      "messages passed by reference";
  // System calls and space by construction: a no_std crate without an allocator and without unsafe
  // code has no name for either.
  m.claims.memory = m.claims.control = m.claims.time = m.claims.system_calls = m.claims.space =
      true;
  m.same_process = true;
  m.by_pointer = true;
  m.unavailable = unavailable;
  m.create = create;
  return m;
}

}  // namespace missive::domains
