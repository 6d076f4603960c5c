#pragma once
// One message on its way into a domain, by every way there is: the operations of the cell
// "sharing".

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "real/domains/domain.h"
#include "real/domains/marshal/records.h"
#include "real/fd.h"

namespace missive::domains {

enum class Way { local, copy, marshalled, sealed, shared, pointer };
inline constexpr std::array<Way, 6> kWays = {Way::local,  Way::copy,   Way::marshalled,
                                             Way::sealed, Way::shared, Way::pointer};
const char* name_of(Way way);

class Exchange {
 public:
  // Makes the domain it exchanges with; `domain` is what it is made of beside sizes and sockets.
  // Throws what create() throws.
  Exchange(const Mechanism& mechanism, std::size_t size, DomainOptions domain);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The ways this mechanism has, found by asking it.
  std::vector<Way> ways();
  // Writes a fresh message, has it read, checks the sum. Throws RunError when it is wrong.
  void run(Way way);

 private:
  bool refused(Way way);
  std::uint64_t send(Way way, std::uint64_t& expected);
  std::uint64_t write(std::span<std::byte> to);
  std::uint64_t call(Entry entry, std::span<const std::byte> request);
  std::uint64_t send_sealed(std::uint64_t& expected);

  const Mechanism& mechanism_;
  UniqueFd descriptors_, descriptors_of_service_;
  std::vector<std::byte> private_, copied_;
  Marshaller marshaller_;
  std::unique_ptr<Domain> domain_;
  unsigned char value_ = 0;
};

}  // namespace missive::domains
