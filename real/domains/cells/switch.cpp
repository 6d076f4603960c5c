#include "real/domains/cells/switch.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "models/random.h"
#include "models/statistics.h"
#include "real/domains/cells/timing.h"

namespace missive::domains {

namespace {

constexpr std::size_t kPollutedCalls = 51;  // of one value

using Domains = std::vector<std::unique_ptr<Domain>>;

// Dirties a cache line after the other, so that what a call needs has to come back from further
// away.
class Polluter {
 public:
  explicit Polluter(std::size_t bytes) : lines_((bytes + kLine - 1) / kLine * kLine) {}
  void operator()() {
    for (std::size_t at = 0; at < lines_.size(); at += kLine)
      lines_[at] = static_cast<unsigned char>(lines_[at] + 1);
    measure::keep(lines_.data());
  }

 private:
  static constexpr std::size_t kLine = 64;
  std::vector<unsigned char> lines_;
};

std::vector<double> hot(Domain& domain, const SwitchOptions& o) {
  const auto call = [&] { measure::keep(domain.call(Entry::null, {}, {})); };
  const std::uint64_t n = batch_size(o.batch_seconds, call);
  std::vector<double> values;
  for (int i = 0; i < o.batches; ++i) values.push_back(batch_seconds(n, call));
  return values;
}

// Each call is timed alone, the polluting is not in it; a value is the median of a batch, because
// one interrupted call would outweigh all others in a mean. The first reading of the clock brings
// its own code back into the cache.
std::vector<double> polluted(Domain& domain, const SwitchOptions& o) {
  Polluter pollute(o.pollute_bytes);
  const auto one = [&] {
    pollute();
    return batch_seconds(1, [&] { measure::keep(domain.call(Entry::null, {}, {})); });
  };
  std::vector<double> values;
  for (int i = 0; i < o.batches; ++i) {
    std::vector<double> calls(kPollutedCalls);
    std::generate(calls.begin(), calls.end(), one);
    values.push_back(median(std::move(calls)));
  }
  return values;
}

std::vector<double> chain(const Domains& domains, std::size_t length, const SwitchOptions& o) {
  std::array<std::byte, 8> message{std::byte{1}};
  const auto through = [&] {
    std::array<std::byte, 8> reply{};
    for (std::size_t i = 0; i < length; ++i) {
      domains[i]->call(Entry::sum, message, reply);
      message = reply;
    }
  };
  const std::uint64_t n = batch_size(o.batch_seconds, through);
  std::vector<double> values;
  for (int i = 0; i < o.batches; ++i) values.push_back(batch_seconds(n, through));
  return values;
}

std::vector<double> in_turn(const Domains& domains, const std::vector<std::size_t>& order,
                            const SwitchOptions& o) {
  std::size_t next = 0;
  const auto call = [&] {
    measure::keep(domains[order[next]]->call(Entry::null, {}, {}));
    if (++next == order.size()) next = 0;
  };
  for (std::size_t i = 0; i < order.size(); ++i) call();  // first use is not what is asked here
  const std::uint64_t n = std::max<std::uint64_t>(batch_size(o.batch_seconds, call), order.size());
  std::vector<double> values;
  for (int i = 0; i < o.batches; ++i) values.push_back(batch_seconds(n, call));
  return values;
}

// Makes more domains until there are `count`. False when the host has no more; says why.
bool grow(const Mechanism& mechanism, const DomainOptions& options, std::size_t count,
          Domains& domains, std::string& stopped_by) {
  try {
    while (domains.size() < count) {
      check_interrupt();
      domains.push_back(mechanism.create(options));
    }
  } catch (const RunError& e) {
    stopped_by = e.what();
  } catch (const NotAvailable& e) {
    stopped_by = e.what();
  }
  return domains.size() >= count;
}

}  // namespace

CellResult measure_switch(const Mechanism& mechanism, const SwitchOptions& options) {
  CellResult result{mechanism.name, {}, {}};
  Domains domains;
  domains.push_back(mechanism.create(options.domain));
  result.series.push_back({"switch.round_trip", "hot", 0, "s", hot(*domains[0], options)});
  if (options.pollute_bytes > 0)
    result.series.push_back(
        {"switch.round_trip", "polluted", 0, "s", polluted(*domains[0], options)});
  for (const std::size_t length : options.chain) {
    if (!grow(mechanism, options.domain, length, domains, result.stopped_by)) return result;
    result.series.push_back({"switch.chain", "", length, "s", chain(domains, length, options)});
  }
  for (const std::size_t count : options.round_robin) {
    if (!grow(mechanism, options.domain, count, domains, result.stopped_by)) return result;
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    result.series.push_back(
        {"switch.round_robin", "ordered", count, "s", in_turn(domains, order, options)});
    Random(options.seed).shuffle(order);
    result.series.push_back(
        {"switch.round_robin", "random", count, "s", in_turn(domains, order, options)});
  }
  return result;
}

}  // namespace missive::domains
