#include "real/domains/cells/execution.h"

#include <algorithm>
#include <array>

#include "models/random.h"
#include "models/statistics.h"
#include "real/domains/cells/timing.h"
#include "real/domains/message.h"

namespace missive::domains {

namespace {

// Batches of each kind that one value is the median of. Short ones, so that most escape being
// interrupted.
constexpr int kRounds = 9;

using Bytes = std::vector<std::byte>;

class Comparison {
 public:
  Comparison(Domain& domain, Entry entry, const ExecutionOptions& o)
      : domain_(domain),
        entry_(entry),
        request_(make_request(entry, o.request_bytes, o.seed)),
        native_reply_(reply_room(entry, request_.size())),
        reply_(native_reply_.size()) {}

  void native() {
    measure::keep(missive_service(
        static_cast<std::int32_t>(entry_), as_bytes(std::span<const std::byte>(request_)),
        request_.size(), as_bytes(std::span<std::byte>(native_reply_)), native_reply_.size()));
    measure::keep(native_reply_.data());
  }
  void in_domain() { size_ = domain_.call(entry_, request_, reply_); }
  void crossing() { measure::keep(domain_.call(Entry::null, request_, reply_)); }

  void check(const std::string& mechanism) {
    native();
    in_domain();
    if (!std::equal(reply_.begin(), reply_.begin() + static_cast<std::ptrdiff_t>(size_),
                    native_reply_.begin()))
      throw RunError(mechanism + ": '" + name_of(entry_) +
                     "' gives another reply than the native kernel; its time means nothing");
  }
  std::size_t bytes() const { return request_.size(); }

 private:
  Domain& domain_;
  Entry entry_;
  Bytes request_, native_reply_, reply_;
  std::size_t size_ = 0;
};

void measure_kernel(Domain& domain, Entry entry, const ExecutionOptions& o, CellResult& result) {
  Comparison c(domain, entry, o);
  c.check(result.mechanism);
  const auto native = [&] { c.native(); };
  const auto in_domain = [&] { c.in_domain(); };
  const auto crossing = [&] { c.crossing(); };
  const std::array<std::uint64_t, 3> n = {batch_size(o.batch_seconds, native),
                                          batch_size(o.batch_seconds, in_domain),
                                          batch_size(o.batch_seconds, crossing)};
  std::array<std::vector<double>, 3> seconds;
  std::vector<double> slowdown;
  std::vector<std::size_t> order = {0, 1, 2};
  Random random(o.seed, static_cast<std::uint64_t>(entry) + 100);
  for (int r = 0; r < o.repetitions; ++r) {
    std::array<std::vector<double>, 3> rounds;
    for (int i = 0; i < kRounds; ++i) {
      random.shuffle(order);
      for (const std::size_t kind : order)
        rounds[kind].push_back(kind == 0   ? warm_batch_seconds(n[0], native)
                               : kind == 1 ? warm_batch_seconds(n[1], in_domain)
                                           : warm_batch_seconds(n[2], crossing));
    }
    for (std::size_t kind = 0; kind < 3; ++kind)
      seconds[kind].push_back(median(std::move(rounds[kind])));
    slowdown.push_back((seconds[1].back() - seconds[2].back()) / seconds[0].back());
  }
  const std::string kernel = name_of(entry);
  result.series.push_back({"execution.native", kernel, c.bytes(), "s", seconds[0]});
  result.series.push_back({"execution.domain", kernel, c.bytes(), "s", seconds[1]});
  result.series.push_back({"execution.crossing", kernel, c.bytes(), "s", seconds[2]});
  result.series.push_back({"execution.slowdown", kernel, c.bytes(), "1", slowdown});
}

}  // namespace

CellResult measure_execution(const Mechanism& mechanism, const ExecutionOptions& options) {
  CellResult result{mechanism.name, {}, {}};
  DomainOptions domain_options = options.domain;
  domain_options.max_message = std::max(domain_options.max_message, options.request_bytes);
  const auto domain = mechanism.create(domain_options);
  for (const Entry kernel : options.kernels) measure_kernel(*domain, kernel, options, result);
  return result;
}

}  // namespace missive::domains
