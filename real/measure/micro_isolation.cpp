#include "real/measure/micro_isolation.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include <sched.h>

#include "models/error.h"
#include "models/isolation/contention.h"
#include "models/random.h"
#include "real/measure/micro_isolation_list.h"
#include "real/process.h"

namespace missive::measure {

namespace {

int nth_cpu(int n) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  // The process's own mask: this thread may be pinned already.
  static const cpu_set_t kAtStart = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  allowed = kAtStart;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed) && n-- == 0) return cpu;
  return -1;
}

struct Condition {
  const char* micro;
  std::string (*unavailable)();
};

constexpr Condition kConditions[] = {
    {"fs_base_write", fs_base_write_unavailable},
    {"fs_base_read", fs_base_write_unavailable},
    {"line_transfer", second_cpu_unavailable},
    {"remote_read", second_cpu_unavailable},
    {"remote_fill", second_cpu_unavailable},
    {"namespaces_start", namespaces_unavailable},
    {"namespaces_end", namespaces_unavailable},
    {"user_map", namespaces_unavailable},
    {"private_mounts", mounts_unavailable},
    {"file_system_create", mounts_unavailable},
    {"root_change", mounts_unavailable},
    {"kvm_create", kvm_unavailable},
    {"kvm_first_run", kvm_unavailable},
    {"affinity_move", second_cpu_unavailable},
    {"kvm_exit", kvm_unavailable},
    {"kvm_end", kvm_unavailable},
    {"segment_table_write", segment_table_unavailable},
};

constexpr std::string_view kOfFreshProcesses[] = {"fork_start",       "process_end",
                                                  "copy_on_write",    "exec_replace",
                                                  "namespaces_start", "namespaces_end"};
constexpr std::string_view kBetweenCpus[] = {"line_transfer", "remote_read", "remote_fill",
                                             "affinity_move"};

bool among(const auto& names, const std::string& name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

int first_cpu() { return nth_cpu(0); }
int second_cpu() { return nth_cpu(1); }

void pin_to(int cpu) {
  if (cpu < 0) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(cpu), &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

std::string second_cpu_unavailable() {
  return second_cpu() >= 0 ? "" : "needs a second CPU; this process may use only one";
}

namespace {

std::string without_suffix(const std::string& name) {
  return name.ends_with(kContendedSuffix) ? name.substr(0, name.size() - kContendedSuffix.size())
                                          : name;
}

std::vector<IsolationMicro> alone_and_contended() {
  std::vector<IsolationMicro> all = isolation_micro_table();
  for (const std::string_view name : kContended) {
    const auto base = std::find_if(all.begin(), all.end(),
                                   [&](const IsolationMicro& m) { return m.name == name; });
    if (base == all.end()) throw std::logic_error("no primitive " + std::string(name));
    IsolationMicro crowded = *base;
    crowded.name += kContendedSuffix;
    crowded.what += "; every other CPU does the same meanwhile";
    crowded.contended = true;
    all.push_back(std::move(crowded));
  }
  return all;
}

// Threads that do the same on every other CPU, from before `micro` is timed until after.
class Rivals {
 public:
  explicit Rivals(const IsolationMicro& micro) {
    for (int n = 1; nth_cpu(n) >= 0; ++n)
      threads_.emplace_back([this, &micro, cpu = nth_cpu(n)] {
        pin_to(cpu);
        std::vector<MicroSample> dropped;
        Sampler sampler(micro.name, dropped);
        do {
          dropped.clear();
          try {
            micro.run(sampler);
          } catch (const std::exception&) {
            failed_ = true;
          }
          ++rounds_;
        } while (!over_ && !failed_);
      });
    while (rounds_ < 1 && !failed_) std::this_thread::yield();
  }
  Rivals(const Rivals&) = delete;
  Rivals& operator=(const Rivals&) = delete;
  ~Rivals() {
    over_ = true;
    for (std::thread& t : threads_) t.join();
  }
  bool failed() const { return failed_; }

 private:
  std::atomic<bool> over_{false}, failed_{false};
  std::atomic<int> rounds_{0};
  std::vector<std::thread> threads_;
};

void run_micro(const IsolationMicro& micro, Sampler& sampler) {
  if (!micro.contended) return micro.run(sampler);
  const Rivals rivals(micro);
  micro.run(sampler);
  if (rivals.failed())
    throw RunError("micro-measurement " + micro.name + ": another CPU's part of it failed");
}

}  // namespace

const std::vector<IsolationMicro>& isolation_micros() {
  static const std::vector<IsolationMicro> table = alone_and_contended();
  return table;
}

MicroProcess micro_process(const std::string& micro) {
  if (without_suffix(micro) != micro || among(kBetweenCpus, micro)) return MicroProcess::all_cpus;
  return among(kOfFreshProcesses, micro) ? MicroProcess::fresh : MicroProcess::one_cpu;
}

std::string isolation_micro_unavailable(const std::string& micro) {
  const std::string base = without_suffix(micro);
  if (base != micro)
    if (std::string why = second_cpu_unavailable(); !why.empty()) return why;
  for (const Condition& c : kConditions)
    if (base == c.micro) return c.unavailable();
  return {};
}

std::vector<MicroSample> run_isolation_micros(MicroProcess where, int repetitions,
                                              std::uint64_t seed) {
  first_cpu();  // notes which CPUs there are
  pin_to(first_cpu());
  std::vector<MicroSample> dropped, samples;
  std::vector<const IsolationMicro*> order;
  for (const IsolationMicro& micro : isolation_micros()) {
    if (micro_process(micro.name) != where || !isolation_micro_unavailable(micro.name).empty())
      continue;
    Sampler warm_up(micro.name, dropped);
    run_micro(micro, warm_up);
    for (int r = 0; r < repetitions; ++r) order.push_back(&micro);
  }
  Random random(seed, 0);
  random.shuffle(order);
  for (const IsolationMicro* micro : order) {
    check_interrupt();
    Sampler sampler(micro->name, samples);
    run_micro(*micro, sampler);
  }
  return samples;
}

}  // namespace missive::measure
