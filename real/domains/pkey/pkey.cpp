// The mechanism "pkey": a static PIE in this process, as "pie", with all its memory behind a
// protection key of its own and the host's behind another that it has no access to.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <mutex>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "real/domains/mechanism_list.h"
#include "real/domains/message.h"
#include "real/domains/pie/loaded.h"
#include "real/domains/pie/pie.h"
#include "real/domains/pkey/gate.h"
#include "real/domains/pkey/keys.h"
#include "real/domains/pkey/scan.h"
#include "real/fd.h"

namespace missive::domains::pkey {

namespace {

constexpr char kName[] = "pkey";

// The few system calls of a domain, from its slot: what they are told to read must be the guest's,
// because here it is read with the host's rights, and what they map gets the guest's key.
class KeyedCalls final : public pie::SystemCalls {
 public:
  explicit KeyedCalls(int key) : key_(key) {}

  std::int64_t answer(pie::Guest& guest, const pie::SystemCall& call) override {
    if (!may_read(guest, call)) return -EFAULT;
    const std::size_t maps = guest.maps.size();
    const std::int64_t result = own_.answer(guest, call);
    if (guest.maps.size() <= maps) return result;
    const std::span<std::byte> fresh = guest.maps.back();
    if (::pkey_mprotect(fresh.data(), fresh.size(), PROT_READ | PROT_WRITE, key_) == 0)
      return result;
    guest.maps.pop_back();
    ::munmap(fresh.data(), fresh.size());
    return -ENOMEM;
  }
  bool owns(const std::byte*) const override { return false; }

 private:
  static bool lies_in_guest(const pie::Guest& guest, const void* at, std::size_t size) {
    const auto* from = static_cast<const std::byte*>(at);
    const auto within = [&](const std::byte* begin, const std::byte* end) {
      return from >= begin && from <= end && size <= static_cast<std::size_t>(end - from);
    };
    const pie::Slot& s = guest.slot;
    if (size == 0 || within(s.data.data(), s.stack.data() + s.stack.size())) return true;
    if (within(s.base, s.base + guest.code_bytes)) return true;
    return std::any_of(guest.maps.begin(), guest.maps.end(),
                       [&](auto m) { return within(m.data(), m.data() + m.size()); });
  }

  static bool may_read(const pie::Guest& guest, const pie::SystemCall& call) {
    const auto* at = reinterpret_cast<const void*>(call.b);
    const auto size = static_cast<std::size_t>(call.c);
    if (call.number == SYS_write) return lies_in_guest(guest, at, size);
    if (call.number != SYS_writev) return true;
    if (size > 1024 || !lies_in_guest(guest, at, size * sizeof(iovec))) return false;
    const std::span parts(static_cast<const iovec*>(at), size);
    return std::all_of(parts.begin(), parts.end(), [&](const iovec& part) {
      return lies_in_guest(guest, part.iov_base, part.iov_len);
    });
  }

  pie::OwnCalls own_;
  int key_;
};

std::size_t whole_pages(std::size_t bytes) { return pie::page_up(bytes); }

// Request, reply and shared memory: the guest's, and the host's as all memory is.
class Messages {
 public:
  Messages(const DomainOptions& options, int key)
      : limit_(options.max_message),
        reply_at_(whole_pages(limit_)),
        shared_at_(2 * whole_pages(limit_)),
        shared_bytes_(options.shared_bytes) {
    const std::size_t total = shared_at_ + whole_pages(shared_bytes_);
    if (total == 0) return;
    memory_ = Mapping::anonymous(total, "pkey: memory for messages");
    tag(memory_.writable(), PROT_READ | PROT_WRITE, key, kName);
  }
  std::span<std::byte> request() { return memory_.writable().first(limit_); }
  std::span<std::byte> reply() { return memory_.writable().subspan(reply_at_, limit_); }
  std::span<std::byte> shared() { return memory_.writable().subspan(shared_at_, shared_bytes_); }

 private:
  std::size_t limit_, reply_at_, shared_at_, shared_bytes_;
  Mapping memory_;
};

// The guest's slot under its key, the host's again when this goes.
class TaggedSlot {
 public:
  TaggedSlot(pie::Loaded& loaded, const pie::Program& program, int key)
      : guest_(loaded.guest()), program_(program) {
    for (const pie::Segment& s : program.segments)
      if (!s.write) guest_.code_bytes = s.end_page();
    try {
      set(key);
    } catch (...) {
      take_back();
      throw;
    }
  }
  ~TaggedSlot() { take_back(); }
  TaggedSlot(const TaggedSlot&) = delete;
  TaggedSlot& operator=(const TaggedSlot&) = delete;

 private:
  void set(int key) {
    const pie::Slot& slot = guest_.slot;
    for (const pie::Segment& s : program_.segments)
      if (!s.write)
        tag({slot.base + s.first_page(), s.end_page() - s.first_page()},
            PROT_READ | (s.execute ? PROT_EXEC : 0), key, kName);
    const auto size =
        static_cast<std::size_t>(slot.stack.data() + slot.stack.size() - slot.data.data());
    tag({slot.data.data(), size}, PROT_READ | PROT_WRITE, key, kName);
  }
  void take_back() noexcept {
    try {
      set(0);
    } catch (const Error&) {
      // A page keeps a key nobody uses; the next domain in the slot gives it its own.
    }
  }

  pie::Guest& guest_;
  const pie::Program& program_;
};

std::unique_ptr<pie::Loaded> load(std::shared_ptr<pie::Pool> pool, int key) {
  set_rights(kEverything);  // a thread begins without access to keys that another one made
  // No deadline: a guest behind a key is ended by the handlers of its own gate alone.
  return std::make_unique<pie::Loaded>(std::move(pool), std::make_unique<KeyedCalls>(key),
                                       std::chrono::nanoseconds(0));
}

class PkeyDomain final : public Domain {
 public:
  PkeyDomain(std::shared_ptr<pie::Pool> pool, const DomainOptions& options)
      : limit_(options.max_message),
        key_(kName),
        loaded_(load(pool, key_.number())),
        messages_(options, key_.number()),
        slot_(*loaded_, pool->program(), key_.number()),
        guest_(loaded_->guest()) {
    guest_.rights = guest_rights(key_.number());
    // Read by the guest, so it lies in its memory: below all that the stack will reach by then.
    auto* link = reinterpret_cast<missive_pie_link*>(guest_.slot.stack.data());
    link->ready = guest_ready();
    static const pie::StartArguments arguments{{"pkey-domain"}, {}};
    loaded_->start(arguments, link);
    if (guest_.ended)
      throw RunError(std::string(kName) + ": the program ended with " + how_it_ended() +
                     " before it offered its service");
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    const bool in_place = lies_in(request, shared());
    check_message(kName, in_place ? 0 : request.size(), reply.size(), limit_);
    if (guest_.ended) [[unlikely]]
      throw DomainFault(std::string(kName) + ": the domain has ended");
    if (rights() != kEverything) [[unlikely]]
      set_rights(kEverything);
    const std::span<const std::byte> passed =
        in_place ? request : std::span<const std::byte>(messages_.request()).first(request.size());
    if (!in_place) std::copy(request.begin(), request.end(), messages_.request().begin());
    const std::int64_t answer =
        pkey::call_guest(guest_, static_cast<std::int32_t>(entry), as_bytes(passed), passed.size(),
                         as_bytes(messages_.reply()), reply.size());
    if (guest_.ended) [[unlikely]]
      throw DomainFault(std::string(kName) + ": the domain ended during a call, " + how_it_ended());
    const std::size_t length = checked_answer(kName, answer, reply.size());
    std::copy_n(messages_.reply().begin(), length, reply.begin());
    return length;
  }

  std::span<std::byte> shared() override { return messages_.shared(); }

 private:
  std::string how_it_ended() const {
    constexpr int kKey = 4;  // SEGV_PKUERR
    return pie::how_it_ended(guest_) + (guest_.signal == SIGSEGV && guest_.status == kKey
                                            ? ": it touched memory behind another key"
                                            : "");
  }

  // In this order: pages lose a key before it is free again, slots before they are given back, and
  // the thread its stack for signals before that of other domains goes.
  std::size_t limit_;
  Key key_;
  std::unique_ptr<pie::Loaded> loaded_;
  Use use_;
  Messages messages_;
  TaggedSlot slot_;
  pie::Guest& guest_;
};

// Kept while a domain lives, and apart from that of "pie".
std::shared_ptr<pie::Pool> pool() {
  static std::mutex mutex;
  static std::weak_ptr<pie::Pool> kept;
  const std::lock_guard lock(mutex);
  std::shared_ptr<pie::Pool> all = kept.lock();
  if (!all) {
    refuse_escapes(pie::built_in_image(), kName);
    kept = all = std::make_shared<pie::Pool>(pie::built_in_image(), kName);
  }
  return all;
}

std::string unavailable() {
  static const std::string why = [] {
    if (const std::string no_pie = pie_mechanism().unavailable(); !no_pie.empty()) return no_pie;
    return keys_unavailable();
  }();
  return why;
}

}  // namespace

}  // namespace missive::domains::pkey

namespace missive::domains {

Mechanism pkey_mechanism() {
  Mechanism m;
  m.name = pkey::kName;
  m.what =
      "a static PIE as in pie, its memory behind a protection key of its own; a crossing saves the "
      "six callee-saved registers, changes the stack and FS base, arms the catching of system "
      "calls and writes PKRU; messages copied; contains code that goes astray, not code that looks "
      "for a WRPKRU in this process";
  m.claims.memory = true;
  m.claims.control = true;
  m.same_process = true;
  m.unavailable = pkey::unavailable;
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    if (const std::string why = pkey::unavailable(); !why.empty())
      throw NotAvailable("pkey: " + why);
    return std::make_unique<pkey::PkeyDomain>(pkey::pool(), options);
  };
  return m;
}

}  // namespace missive::domains
