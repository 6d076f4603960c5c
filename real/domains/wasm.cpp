// The service as WebAssembly, compiled ahead of time by wasm2c: software fault isolation in this
// process. Memory accesses are confined by guard pages or by comparisons, control flow by the
// language's structure; the module imports nothing, so it has no system call to make.

#include "real/domains/mechanism_list.h"

#ifdef MISSIVE_WITH_WASM

#include <cstring>

#include "real/domains/message.h"
#include "real/domains/wasm_instance.h"

// Called by the C runtime (guests/wasm_runtime.c) where a check fails.
void missive_wasm_trap(int code) {
  missive::domains::raise_trap(missive::domains::Trap::guest, code);
}

#endif

namespace missive::domains {

namespace {

Containment all() {
  Containment c;
  c.memory = c.control = c.time = c.system_calls = c.space = true;
  return c;
}

#ifdef MISSIVE_WITH_WASM

// What one call hands to the module, and its answer.
struct Crossing {
  decltype(missive_wasm_module::entry) enter;
  void* state;
  std::uint32_t entry, request, size, reply, capacity;
  std::int64_t answer;

  static void cross(Crossing& c) {
    c.answer = static_cast<std::int64_t>(
        c.enter(c.state, c.entry, c.request, c.size, c.reply, c.capacity));
  }
};

class WasmDomain final : public Domain {
 public:
  WasmDomain(const char* name, std::unique_ptr<WasmInstance> instance, const DomainOptions& options,
             bool pooled)
      : name_(name),
        instance_(std::move(instance)),
        scope_{instance_->guarded(), options.deadline},
        memory_(instance_->at(0)),
        request_at_(instance_->request_at()),
        reply_at_(instance_->reply_at()),
        shared_{instance_->at(instance_->shared_at()), options.shared_bytes},
        limit_(options.max_message),
        pooled_(pooled) {
    crossing_.enter = instance_->module().entry;
    crossing_.state = instance_->state();
  }
  WasmDomain(const WasmDomain&) = delete;
  WasmDomain& operator=(const WasmDomain&) = delete;
  ~WasmDomain() override {
    if (pooled_) WasmPool::global().give_back(std::move(instance_));
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (ended_) [[unlikely]]
      refuse_ended();
    Crossing& c = crossing_;
    c.entry = static_cast<std::uint32_t>(entry);
    c.size = static_cast<std::uint32_t>(request.size());
    c.capacity = static_cast<std::uint32_t>(reply.size());
    const bool in_place = place(request, request_at_, c.request);
    const bool reply_in_place = place(reply, reply_at_, c.reply);
    if (!in_place && !request.empty())
      std::memcpy(memory_ + c.request, request.data(), request.size());
    const Outcome outcome = run_contained<Crossing::cross>(scope_, c);
    if (outcome.trap != Trap::none) [[unlikely]]
      end(outcome);
    if (c.answer < 0 || c.answer > static_cast<std::int64_t>(reply.size())) [[unlikely]]
      refuse(reply.size());
    const auto length = static_cast<std::size_t>(c.answer);
    if (!reply_in_place && length != 0) std::memcpy(reply.data(), memory_ + c.reply, length);
    return length;
  }

  std::span<std::byte> shared() override { return shared_; }

 private:
  // Where in linear memory a message is: in place when it lies in shared(), else in `area`.
  bool place(std::span<const std::byte> message, std::uint32_t area, std::uint32_t& at) const {
    if (lies_in(message, shared_)) {
      at = static_cast<std::uint32_t>(message.data() - memory_);
      return true;
    }
    check_message(name_, message.size(), 0, limit_);
    at = area;
    return false;
  }

  [[noreturn, gnu::cold, gnu::noinline]] void refuse_ended() const {
    throw DomainFault(std::string(name_) + ": the domain has ended; it can only be destroyed");
  }
  [[noreturn, gnu::cold, gnu::noinline]] void refuse(std::size_t capacity) {
    if (crossing_.answer != -1) ended_ = true;
    refuse_answer(name_, crossing_.answer, capacity);
  }
  [[noreturn, gnu::cold, gnu::noinline]] void end(const Outcome& outcome) {
    ended_ = true;
    throw DomainFault(
        std::string(name_) + ": the module " +
        (outcome.trap == Trap::guest ? missive_wasm_reason(outcome.code) : describe(outcome.trap)) +
        " and was ended");
  }

  const char* name_;
  std::unique_ptr<WasmInstance> instance_;
  TrapScope scope_;
  Crossing crossing_{};
  std::byte* memory_;
  std::uint32_t request_at_, reply_at_;
  std::span<std::byte> shared_;
  std::size_t limit_;
  bool pooled_;
  bool ended_ = false;
};

std::unique_ptr<Domain> from_scratch(const char* name, WasmChecks checks,
                                     const DomainOptions& options) {
  prepare_traps(options.deadline);
  return std::make_unique<WasmDomain>(
      name, std::make_unique<WasmInstance>(checks, WasmLayout::of(options)), options, false);
}

std::unique_ptr<Domain> create_guard(const DomainOptions& options) {
  return from_scratch("wasm-guard", WasmChecks::guard, options);
}
std::unique_ptr<Domain> create_bounds(const DomainOptions& options) {
  return from_scratch("wasm-bounds", WasmChecks::bounds, options);
}
std::unique_ptr<Domain> create_pooled(const DomainOptions& options) {
  prepare_traps(options.deadline);
  return std::make_unique<WasmDomain>(
      "wasm-pooled", WasmPool::global().take(WasmLayout::of(options)), options, true);
}
std::string unavailable() { return {}; }

#else

std::string unavailable() {
  return "built without wasm2c; install the Debian packages wabt, clang and lld and build again";
}
std::unique_ptr<Domain> create_guard(const DomainOptions&) { throw NotAvailable(unavailable()); }
std::unique_ptr<Domain> create_bounds(const DomainOptions&) { throw NotAvailable(unavailable()); }
std::unique_ptr<Domain> create_pooled(const DomainOptions&) { throw NotAvailable(unavailable()); }

#endif

Mechanism wasm(const char* name, const char* what,
               std::unique_ptr<Domain> (*create)(const DomainOptions&)) {
  Mechanism m;
  m.name = name;
  m.what = what;
  m.claims = all();
  m.same_process = true;
  m.unavailable = unavailable;
  m.create = create;
  return m;
}

}  // namespace

Mechanism wasm_guard_mechanism() {
  return wasm("wasm-guard",
              "WebAssembly through wasm2c, confined by 8 GiB of guard pages; the callee-saved "
              "registers are saved, messages copied in and out",
              create_guard);
}

Mechanism wasm_bounds_mechanism() {
  return wasm("wasm-bounds",
              "WebAssembly through wasm2c, a bounds check at every memory access; the "
              "callee-saved registers are saved, messages copied in and out",
              create_bounds);
}

Mechanism wasm_pooled_mechanism() {
  return wasm("wasm-pooled",
              "as wasm-guard, with instances from a pool whose memory is reset from a "
              "copy-on-write image",
              create_pooled);
}

}  // namespace missive::domains
