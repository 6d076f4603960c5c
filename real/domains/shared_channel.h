#pragma once
// Calls to a service in another process, through memory that both map and a futex(2) in it: two
// system calls on each side, a message is copied once each way. For mechanisms that run the program
// guests/shared_service.c. Nothing that the other side can write is believed: what it answers is
// read once, checked, then copied.

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "real/domains/domain.h"
#include "real/domains/guests/shared_service.h"
#include "real/domains/owned_process.h"
#include "real/fd.h"

namespace missive::domains {

class SharedChannel {
 public:
  // `who` begins error texts. `confine` is the service's order to give up its system calls.
  SharedChannel(std::string who, const DomainOptions& options, bool confine);
  SharedChannel(const SharedChannel&) = delete;
  SharedChannel& operator=(const SharedChannel&) = delete;
  ~SharedChannel();

  // Until the service has started: of the memory file, sealed against another size: a service that
  // truncates it would have the host killed by SIGBUS (memfd_create(2), F_ADD_SEALS in fcntl(2)).
  int memory() const { return memory_.get(); }
  std::size_t bytes() const { return bytes_.size(); }
  missive_control& control() { return *reinterpret_cast<missive_control*>(bytes_.data()); }
  // Sets `turn` and wakes whoever waits for it. Also in a clone of the host: it allocates nothing.
  void set_turn(missive_turn turn);

  // In a clone that shares the memory: sleeps while `turn` is MISSIVE_TURN_STARTING.
  void await_go();

  // Waits until the service in `process` is ready for its first call. Throws RunError when it
  // ended instead, or is not ready in ten seconds.
  void await_start(const OwnedProcess& process);
  // The call of Domain. Throws DomainFault after the deadline or the end of `process`; the caller
  // has to kill the process then.
  std::size_t call(const OwnedProcess& process, Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply);
  std::span<std::byte> shared() { return bytes_.subspan(shared_at_, shared_bytes_); }

 private:
  enum class Wait { done, ended, late };
  Wait await_host_turn(const OwnedProcess& process, std::chrono::milliseconds limit);

  std::string who_;
  std::chrono::milliseconds deadline_;
  std::size_t max_message_, shared_bytes_;
  std::size_t request_at_, reply_at_, shared_at_;
  UniqueFd memory_;
  std::span<std::byte> bytes_;
};

// The service's program, an ELF file.
std::span<const std::byte> shared_service_program();

}  // namespace missive::domains
