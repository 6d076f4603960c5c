#include "real/domains/pie/pie.h"

#include <mutex>

#include "real/domains/mechanism_list.h"
#include "real/domains/pie/gate.h"
#include "real/domains/pie/loaded.h"

#ifdef MISSIVE_PIE_GUEST
extern "C" const std::byte missive_pie_image[];
extern "C" const std::byte missive_pie_image_end[];
#endif

namespace missive::domains::pie {

namespace {

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
  static const StartArguments arguments{{"pie-domain"}, {}};
  const std::string name = pool->name();
  return start_service(
      "pie", name,
      std::make_unique<Loaded>(std::move(pool), std::make_unique<OwnCalls>(), options.deadline),
      arguments, options);
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
  m.by_pointer = true;
  m.unavailable = pie::unavailable;
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    if (const std::string why = pie::unavailable(); !why.empty()) throw NotAvailable("pie: " + why);
    return pie::start(pie::built_in_pool(), options);
  };
  return m;
}

}  // namespace missive::domains
