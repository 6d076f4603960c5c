#pragma once
// Isolated domains: the same service, behind different walls. One small interface; each mechanism
// is its own file and one line in mechanisms.cpp (docs/adding-a-mechanism.md). What the cells of
// the comparison mean is defined once, in docs/metrics.md.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/error.h"

namespace missive::domains {

// Entries of the service (real/domains/service/service.h), the same code in every domain. The
// numbers are its ABI.
enum class Entry : std::int32_t {
  null = 0,       // returns at once: what a crossing costs
  hash = 1,       // SHA-256 of the request, 32 bytes
  sort = 2,       // the request's 32-bit words, ascending
  json_scan = 3,  // strings, numbers and depth of a JSON text
  lookup = 4,     // keys of the request in a hash table built from it
  walk = 5,       // pointer chase through a random cycle over the request's size
  sum = 6,        // adds up every byte of the request: the receiver reads it all
  clock = 7,      // the processor's time stamp inside, 8 bytes; refused where that is another clock
  // Only of a service that is this program's own code (host_service.h); others refuse them.
  marshalled_sum = 50,  // parses a message of records and adds up every byte of every field
  sealed_sum = 51,      // maps a sealed memory file and adds up every byte
};

// The domain ended or was ended: a fault inside it, a trap, its death, or the deadline. The domain
// is unusable then and can only be destroyed; the process that called is unharmed.
struct DomainFault : RunError {
  using RunError::RunError;
};

class Domain {
 public:
  virtual ~Domain() = default;  // destroys it: nothing of it is left

  // Runs `entry` inside the domain: copies `request` in where the mechanism needs that, and the
  // reply out. Returns the reply's length. Throws DomainFault; InputError when request or reply
  // exceed what create() was told.
  virtual std::size_t call(Entry entry, std::span<const std::byte> request,
                           std::span<std::byte> reply) = 0;

  // Memory that both sides see without a copy, of DomainOptions::shared_bytes; empty where the
  // mechanism has none. call() with a request inside this span passes it in place.
  virtual std::span<std::byte> shared() { return {}; }
};

struct DomainOptions {
  std::size_t max_message = 64 * 1024;  // largest request or reply of call()
  std::size_t shared_bytes = 0;
  std::chrono::milliseconds deadline{
      10'000};  // of one call; 0: none, for mechanisms that could not enforce one
  // CPU that a service with a thread or process of its own is pinned to; -1: the scheduler's
  // choice.
  int peer_cpu = -1;
  // A Unix socket that a forked service keeps open beside its own transport, to be handed
  // descriptors; -1: none.
  int descriptor_socket = -1;
};

// What a mechanism claims to contain: the attack matrix holds it to each. "No" is an honest answer.
struct Containment {
  bool memory = false;        // wild reads and writes, stack overflow
  bool control = false;       // wild jumps, crashes
  bool time = false;          // endless loops, calls that never return (deadline)
  bool system_calls = false;  // opening the host's files, killing the host, fork bombs
  bool space = false;         // memory hogs
};

struct Mechanism {
  std::string name;  // JSON value: "wasm-guard"
  std::string what;  // one sentence, with what is saved at a crossing
  Containment claims;
  bool same_process = false;  // crossings stay in this process
  bool by_pointer = false;    // call() copies nothing: the service reads the caller's own memory
  // Empty when this host (and this build) can, otherwise why not and what to do.
  std::string (*unavailable)();
  // Null when there is nothing to fetch. Otherwise makes, once, what unavailable() may miss: it may
  // take the network and minutes. Throws NotAvailable (offline), RunError.
  void (*prepare)() = nullptr;
  // Null when times always mean what they say. Otherwise empty, or why no time of it may be shown
  // on this host: there it is tested for what it does, attacks included, and not timed.
  std::string (*untimed)() = nullptr;
  // Throws NotAvailable, RunError (a host limit: which one), InputError (options).
  std::unique_ptr<Domain> (*create)(const DomainOptions&);
};
// Why the mechanism is not timed here; empty when it is, and when it is not available.
inline std::string why_untimed(const Mechanism& m) { return m.untimed ? m.untimed() : ""; }
const std::vector<Mechanism>& mechanisms();
// Throws InputError with the nearest name.
const Mechanism& mechanism(const std::string& name);

}  // namespace missive::domains
