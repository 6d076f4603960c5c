#pragma once
// A program loaded into this process and started, and a service among such programs as a domain.

#include <chrono>
#include <memory>
#include <string>

#include "real/domains/domain.h"
#include "real/domains/pie/gate.h"
#include "real/domains/pie/initial_stack.h"
#include "real/domains/pie/slots.h"
#include "real/domains/pie/system_calls.h"
#include "real/domains/trap.h"

namespace missive::domains::pie {

// One copy of the pool's image. Nothing of it is left when it goes.
class Loaded {
 public:
  // Neither its start nor a call may take longer than `deadline`; 0: no deadline. Throws RunError
  // that names the host's limit.
  Loaded(std::shared_ptr<Pool> pool, std::unique_ptr<SystemCalls> calls,
         std::chrono::nanoseconds deadline);
  ~Loaded();
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  // Runs it from its entry until it has ended, or has come to link->ready() (guest/link.h).
  void start(const StartArguments& arguments, const missive_pie_link* link);

  Guest& guest() { return guest_; }
  const TrapScope& scope() const { return scope_; }
  SystemCalls& calls() { return *calls_; }

 private:
  GateUse use_;
  std::shared_ptr<Pool> pool_;
  std::unique_ptr<SystemCalls> calls_;
  TrapScope scope_;
  Guest guest_;
};

// "exit status 3", "signal 6 (Aborted)", "the deadline".
std::string how_it_ended(const Guest& guest);

// Starts a program that follows guest/link.h, as the domain of a mechanism. `mechanism`, which
// lasts for ever, begins the messages of calls, `program` those of the start. Throws RunError when
// it ends before it is ready (with what it said). The deadline is that of `loaded`.
std::unique_ptr<Domain> start_service(const char* mechanism, const std::string& program,
                                      std::unique_ptr<Loaded> loaded,
                                      const StartArguments& arguments,
                                      const DomainOptions& options);

}  // namespace missive::domains::pie
