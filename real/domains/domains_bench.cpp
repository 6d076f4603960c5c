// What a crossing costs: null calls, there and back, for every mechanism that runs here.
//   build/release/real_domains_domains_bench --benchmark_filter=process
// "alone" leaves the service where the scheduler puts it; "same-core" and "cross-core" pin caller
// and service to one CPU or two. Sleeping on another CPU pays an inter-processor interrupt, which
// under a hypervisor is an exit: tens of microseconds that a host without one does not have.

#include <benchmark/benchmark.h>
#include <sched.h>

#include "real/domains/domain.h"

namespace {

using namespace missive::domains;

// This thread on one CPU for as long as the object lives.
class Pinned {
 public:
  explicit Pinned(int cpu) {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(cpu), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_{};
};

void null_call(benchmark::State& state, const Mechanism& mechanism, int own_cpu, int peer_cpu) {
  const Pinned pinned(own_cpu);
  DomainOptions options;
  options.peer_cpu = peer_cpu;
  const auto domain = mechanism.create(options);
  for (auto _ : state) benchmark::DoNotOptimize(domain->call(Entry::null, {}, {}));
}

void sum(benchmark::State& state, const Mechanism& mechanism) {
  const Pinned pinned(0);
  DomainOptions options;
  const auto size = static_cast<std::size_t>(state.range(0));
  options.max_message = size;
  const auto domain = mechanism.create(options);
  const std::vector<std::byte> request(size, std::byte{1});
  std::vector<std::byte> reply(8);
  for (auto _ : state) benchmark::DoNotOptimize(domain->call(Entry::sum, request, reply));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

bool has_peer(const Mechanism& m) { return m.name == "thread" || m.name.rfind("process-", 0) == 0; }

const bool registered = [] {
  cpu_set_t cpus;
  ::sched_getaffinity(0, sizeof cpus, &cpus);
  const bool two = CPU_ISSET(0, &cpus) && CPU_ISSET(1, &cpus);
  for (const Mechanism& m : mechanisms()) {
    if (!m.unavailable().empty()) continue;
    const auto add = [&m](const std::string& where, int peer) {
      benchmark::RegisterBenchmark(("null/" + m.name + where).c_str(), null_call, m, 0, peer)
          ->UseRealTime();
    };
    const bool spins = m.name == "process-spin";
    if (!has_peer(m)) add("", -1);
    if (has_peer(m) && !spins) add("/alone", -1);
    if (has_peer(m) && !spins) add("/same-core", 0);
    if (has_peer(m) && two) add("/cross-core", 1);
    benchmark::RegisterBenchmark(("sum/" + m.name).c_str(), sum, m)
        ->Arg(64)
        ->Arg(4096)
        ->Arg(65536)
        ->UseRealTime();
  }
  return true;
}();

}  // namespace
