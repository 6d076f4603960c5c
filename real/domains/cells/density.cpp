#include "real/domains/cells/density.h"

#include <array>
#include <cstring>
#include <optional>

#include "models/random.h"
#include "real/domains/cells/memory.h"
#include "real/domains/cells/timing.h"

namespace missive::domains {

namespace {

constexpr std::size_t kLookAtMemory = 64;  // domains between two looks
constexpr std::size_t kHeadroom = 8;  // domains given up at a limit, so that there is room to ask

class Run {
 public:
  Run(const Mechanism& mechanism, const DensityOptions& o)
      : mechanism_(mechanism), o_(o), random_(o.seed), result_{mechanism.name, {}, {}} {
    domains_.reserve(o.domains);
    pss_before_ = pss_of_tree();
    available_before_ = memory_available();
  }

  CellResult run() {
    std::size_t checkpoint = 1;
    since_ = measure::now_ns();
    while (domains_.size() < o_.domains && add_one()) {
      if (domains_.size() == checkpoint && checkpoint < o_.domains) {
        take_stock();
        checkpoint *= 10;
      }
    }
    const auto alive = static_cast<double>(domains_.size());
    if (!result_.stopped_by.empty()) explain_limit();
    if (!domains_.empty()) take_stock();
    result_.series.push_back({"density.alive", "", 0, "1", {alive}});
    destroy();
    return std::move(result_);
  }

 private:
  // False when a limit was met.
  bool add_one() {
    check_interrupt();
    if (domains_.size() % kLookAtMemory == 0 && memory_available() < o_.leave_free) {
      result_.stopped_by = "memory: less than " + std::to_string(o_.leave_free >> 20) +
                           " MiB left available on this host";
      return false;
    }
    try {
      domains_.push_back(mechanism_.create(o_.domain));
      probe(*domains_.back(), domains_.size());
      return true;
    } catch (const RunError& e) {  // a DomainFault too: no longer alive is not alive
      result_.stopped_by = e.what();
    } catch (const NotAvailable& e) {
      result_.stopped_by = e.what();
    } catch (const std::bad_alloc&) {
      result_.stopped_by = "memory: this process gets no more";
    }
    if (domains_.size() > answered_) domains_.pop_back();
    return false;
  }

  void probe(Domain& domain, std::size_t number) {
    std::array<std::byte, 8> request{}, reply{};
    std::memcpy(request.data(), &number, sizeof number);
    std::uint64_t sum = 0, expected = 0;
    for (const std::byte b : request) expected += static_cast<std::uint64_t>(b);
    domain.call(Entry::sum, request, reply);
    std::memcpy(&sum, reply.data(), sizeof sum);
    if (sum != expected)
      throw RunError(mechanism_.name + ": domain " + std::to_string(number) +
                     " answers the probe wrongly");
    answered_ = domains_.size();
  }

  // A limit on descriptors or maps also stops the asking about it.
  void explain_limit() {
    const std::size_t keep = domains_.size() > kHeadroom ? domains_.size() - kHeadroom : 0;
    domains_.resize(keep);
    if (const std::string limits = limits_nearly_met(); !limits.empty())
      result_.stopped_by += " [" + limits + "]";
  }

  void add(const char* metric, const char* unit, std::vector<double> values) {
    result_.series.push_back({metric, "", domains_.size(), unit, std::move(values)});
  }

  void take_stock() {
    const std::int64_t now = measure::now_ns();
    if (domains_.size() > counted_)
      add("density.create", "s",
          {static_cast<double>(now - since_) * 1e-9 /
           static_cast<double>(domains_.size() - counted_)});
    counted_ = domains_.size();
    const auto per_domain = [&](double bytes) {
      return bytes / static_cast<double>(domains_.size());
    };
    add("density.system_per_domain", "bytes",
        {per_domain(static_cast<double>(available_before_) -
                    static_cast<double>(memory_available()))});
    add("density.pss_per_domain", "bytes",
        {per_domain(static_cast<double>(pss_of_tree()) - static_cast<double>(pss_before_))});
    std::vector<double> seconds;
    for (int i = 0; i < o_.probes; ++i) {
      const std::size_t which = random_.below(domains_.size());
      seconds.push_back(batch_seconds(1, [&] { probe(*domains_[which], which); }));
    }
    add("density.probe", "s", std::move(seconds));
    since_ = measure::now_ns();
  }

  void destroy() {
    if (domains_.empty()) return;
    const std::size_t n = domains_.size();
    const double all = measure::seconds_of([&] { domains_.clear(); });
    result_.series.push_back({"density.destroy", "", n, "s", {all / static_cast<double>(n)}});
  }

  const Mechanism& mechanism_;
  const DensityOptions& o_;
  Random random_;
  CellResult result_;
  std::vector<std::unique_ptr<Domain>> domains_;
  std::size_t answered_ = 0, counted_ = 0;
  std::uint64_t pss_before_ = 0, available_before_ = 0;
  std::int64_t since_ = 0;
};

}  // namespace

CellResult measure_density(const Mechanism& mechanism, const DensityOptions& options) {
  return Run(mechanism, options).run();
}

}  // namespace missive::domains
