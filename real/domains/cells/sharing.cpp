#include "real/domains/cells/sharing.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "models/random.h"
#include "real/domains/cells/timing.h"
#include "real/domains/message.h"

namespace missive::domains {

namespace {

enum Way : std::size_t { local, copy, shared };
constexpr std::array<const char*, 3> kWays = {"local", "copy", "shared"};

// Every byte gets the same value, another one each time.
class Message {
 public:
  std::uint64_t write(std::span<std::byte> to) {
    value_ = static_cast<unsigned char>(value_ + 1);
    std::memset(to.data(), value_, to.size());
    return static_cast<std::uint64_t>(value_) * to.size();
  }

 private:
  unsigned char value_ = 0;
};

class Exchange {
 public:
  Exchange(const Mechanism& mechanism, Domain& domain, std::size_t size)
      : name_(mechanism.name), domain_(domain), private_(size) {
    if (const auto memory = domain.shared(); memory.size() >= size) shared_ = memory.first(size);
  }
  bool has_shared() const { return !shared_.empty(); }

  void run(Way way) {
    const std::span<std::byte> place = way == shared ? shared_ : std::span(private_);
    const std::uint64_t expected = message_.write(place);
    std::uint64_t sum = 0;
    const auto reply = std::as_writable_bytes(std::span(&sum, 1));
    if (way == local)
      missive_service(static_cast<std::int32_t>(Entry::sum),
                      as_bytes(std::span<const std::byte>(place)), place.size(), as_bytes(reply),
                      reply.size());
    else
      domain_.call(Entry::sum, place, reply);
    if (sum != expected)
      throw RunError(name_ + ": a message of " + std::to_string(place.size()) + " bytes (" +
                     kWays[way] + ") adds up to " + std::to_string(sum) + " instead of " +
                     std::to_string(expected));
  }

 private:
  std::string name_;
  Domain& domain_;
  std::vector<std::byte> private_;
  std::span<std::byte> shared_;
  Message message_;
};

void measure_size(const Mechanism& mechanism, std::size_t size, const SharingOptions& o,
                  CellResult& result) {
  DomainOptions domain_options = o.domain;
  domain_options.max_message = std::max<std::size_t>(size, 64);
  domain_options.shared_bytes = size;
  const auto domain = mechanism.create(domain_options);
  Exchange exchange(mechanism, *domain, size);
  std::vector<Way> order = {local, copy};
  if (exchange.has_shared()) order.push_back(shared);
  std::array<std::uint64_t, 3> n{};
  std::array<std::vector<double>, 3> seconds;
  for (const Way way : order) n[way] = batch_size(o.batch_seconds, [&] { exchange.run(way); });
  Random random(o.seed, size);
  for (int r = 0; r < o.repetitions; ++r) {
    random.shuffle(order);
    for (const Way way : order)
      seconds[way].push_back(warm_batch_seconds(n[way], [&] { exchange.run(way); }));
  }
  for (const Way way : {local, copy, shared})
    if (!seconds[way].empty())
      result.series.push_back({"sharing.message", kWays[way], size, "s", seconds[way]});
}

}  // namespace

CellResult measure_sharing(const Mechanism& mechanism, const SharingOptions& options) {
  CellResult result{mechanism.name, {}, {}};
  for (const std::size_t size : options.sizes) {
    try {
      measure_size(mechanism, size, options, result);
    } catch (const DomainFault&) {
      throw;
    } catch (const InputError& e) {  // larger than this mechanism's domains can be
      result.stopped_by = e.what();
      return result;
    } catch (const NotAvailable& e) {
      result.stopped_by = e.what();
      return result;
    }
  }
  return result;
}

}  // namespace missive::domains
