#include "real/domains/cells/switch.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "models/random.h"
#include "models/statistics.h"
#include "real/domains/cells/timing.h"
#include "real/measure/time_stamp.h"

namespace missive::domains {

namespace {

constexpr std::size_t kSingleCalls = 51;  // of one value, where each is timed alone
constexpr std::size_t kStampedCalls = 401;

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
    std::vector<double> calls(kSingleCalls);
    std::generate(calls.begin(), calls.end(), one);
    values.push_back(median(std::move(calls)));
  }
  return values;
}

// The time stamp inside, of one call; its reply is part of what comes back.
std::uint64_t stamp_inside(Domain& domain) {
  std::uint64_t stamp = 0;
  domain.call(Entry::clock, {}, std::as_writable_bytes(std::span(&stamp, 1)));
  return stamp;
}

struct OneWay {
  Series there{"switch.one_way", "there", 0, "s", {}};
  Series back{"switch.one_way", "back", 0, "s", {}};
  void not_measured(const std::string& why) {
    there.values.clear(), back.values.clear();
    there.note = back.note = "not measured: " + why;
  }
};

// The mean of what was not interrupted: the counter may step by ten nanoseconds at a time, and only
// means, over calls at random places between two steps, see what lies between them.
double undisturbed_mean(const std::vector<double>& ticks) {
  const double most = 4 * std::max(median(ticks), static_cast<double>(measure::time_stamp_step()));
  double sum = 0;
  std::size_t n = 0;
  for (const double t : ticks)
    if (t <= most) sum += t, ++n;
  return sum / static_cast<double>(n);
}

// Each call is timed alone. Half a reading of the counter lies on either side of what is timed, so
// one whole reading is taken off.
OneWay one_way(Domain& domain, const SwitchOptions& o) {
  OneWay result;
  if (const std::string why = measure::time_stamp_unusable(); !why.empty()) {
    result.not_measured(why);
    return result;
  }
  try {
    stamp_inside(domain);
  } catch (const InputError&) {
    result.not_measured("the service inside has no clock that is the caller's too");
    return result;
  }
  const double cost = measure::time_stamp_cost();
  for (int i = 0; i < o.batches; ++i) {
    std::vector<double> there, back;
    check_interrupt();
    for (std::size_t n = 0; n < kStampedCalls; ++n) {
      const std::uint64_t before = measure::time_stamp();
      const std::uint64_t inside = stamp_inside(domain);
      const std::uint64_t after = measure::time_stamp();
      if (inside < before || after < inside) {
        result.not_measured("the time stamps of the two CPUs disagree");
        return result;
      }
      there.push_back(static_cast<double>(inside - before));
      back.push_back(static_cast<double>(after - inside));
    }
    const auto seconds = [&](const std::vector<double>& ticks) {
      return std::max(undisturbed_mean(ticks) - cost, 0.0) * measure::time_stamp_tick();
    };
    result.there.values.push_back(seconds(there));
    result.back.values.push_back(seconds(back));
  }
  return result;
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
  OneWay ways = one_way(*domains[0], options);
  result.series.push_back(std::move(ways.there));
  result.series.push_back(std::move(ways.back));
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
