#include "real/domains/pie/loaded.h"

#include <cstring>
#include <utility>

#include "models/error.h"
#include "real/domains/map_limit.h"
#include "real/domains/message.h"
#include "real/fd.h"

namespace missive::domains::pie {

namespace {

class PieDomain final : public Domain {
 public:
  PieDomain(const char* mechanism, const std::string& program, std::unique_ptr<Loaded> loaded,
            const StartArguments& arguments, const DomainOptions& options)
      : mechanism_(mechanism),
        limit_(options.max_message),
        loaded_(std::move(loaded)),
        guest_(loaded_->guest()),
        scope_(loaded_->scope()) {
    if (options.shared_bytes > 0)
      shared_ =
          Mapping::anonymous(options.shared_bytes, std::string(mechanism) + ": shared memory");
    missive_pie_link link{guest_ready()};
    loaded_->start(arguments, &link);
    if (!guest_.ended) return;
    const std::string limit = map_limit_reached();
    throw RunError(program + ": the program ended by " + how_it_ended(guest_) +
                   " before it offered its service" +
                   (guest_.log.empty() ? "" : ", saying: " + guest_.log) +
                   (limit.empty() ? "" : "; no map entry left: " + limit));
  }

  // Request and reply are passed by pointer: it is one address space.
  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (!lies_in(request, shared_.bytes()))
      check_message(mechanism_, request.size(), reply.size(), limit_);
    if (guest_.ended) [[unlikely]]
      throw DomainFault(std::string(mechanism_) + ": the domain has ended");
    std::int64_t answer = 0;
    {
      const Watched watched(scope_);
      answer = call_guest(guest_, static_cast<std::int32_t>(entry), as_bytes(request),
                          request.size(), as_bytes(reply), reply.size());
    }
    if (guest_.ended) [[unlikely]]
      throw DomainFault(std::string(mechanism_) + ": the domain ended during a call, by " +
                        how_it_ended(guest_));
    return checked_answer(mechanism_, answer, reply.size());
  }

  std::span<std::byte> shared() override { return shared_.writable(); }

 private:
  const char* mechanism_;
  std::size_t limit_;
  Mapping shared_;
  std::unique_ptr<Loaded> loaded_;
  Guest& guest_;
  const TrapScope& scope_;
};

}  // namespace

Loaded::Loaded(std::shared_ptr<Pool> pool, std::unique_ptr<SystemCalls> calls,
               std::chrono::nanoseconds deadline)
    : pool_(std::move(pool)), calls_(std::move(calls)) {
  scope_.deadline = deadline;
  scope_.leave = leave_guest;
  prepare_traps(deadline);
  guest_.calls = calls_.get();
  guest_.slot = pool_->take();
  guest_.heap_top = guest_.slot.heap.size();
}

Loaded::~Loaded() {
  guest_.unmap_all();
  calls_.reset();
  pool_->give_back(guest_.slot);
}

void Loaded::start(const StartArguments& arguments, const missive_pie_link* link) {
  const Program& program = pool_->program();
  const Watched watched(scope_);
  start_guest(guest_, reinterpret_cast<std::uint64_t>(guest_.slot.base) + program.entry,
              build_stack(program, guest_.slot, arguments, link));
}

std::string how_it_ended(const Guest& guest) {
  if (guest.late) return "the deadline";
  if (guest.signal == 0) return "exit status " + std::to_string(guest.status);
  return "signal " + std::to_string(guest.signal) + " (" + ::strsignal(guest.signal) + ")";
}

std::unique_ptr<Domain> start_service(const char* mechanism, const std::string& program,
                                      std::unique_ptr<Loaded> loaded,
                                      const StartArguments& arguments,
                                      const DomainOptions& options) {
  return std::make_unique<PieDomain>(mechanism, program, std::move(loaded), arguments, options);
}

}  // namespace missive::domains::pie
