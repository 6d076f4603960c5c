#include "real/domains/cells/creation.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "real/domains/cells/timing.h"

namespace missive::domains {

namespace {

struct Life {
  double create, first_call, second_call, teardown;
};

Life one_life(const Mechanism& mechanism, const DomainOptions& options) {
  check_interrupt();
  const std::int64_t start = measure::now_ns();
  auto domain = mechanism.create(options);
  const std::int64_t created = measure::now_ns();
  domain->call(Entry::null, {}, {});
  const std::int64_t answered = measure::now_ns();
  domain->call(Entry::null, {}, {});
  const std::int64_t again = measure::now_ns();
  domain.reset();
  const std::int64_t gone = measure::now_ns();
  const auto seconds = [](std::int64_t from, std::int64_t to) {
    return std::max(static_cast<double>(to - from) * 1e-9 - clock_seconds(), 0.0);
  };
  return {seconds(start, created), seconds(start, answered), seconds(answered, again),
          seconds(again, gone)};
}

void short_life(const Mechanism& mechanism, const DomainOptions& options) {
  mechanism.create(options)->call(Entry::null, {}, {});
}

// Seconds for each domain when `creators` threads make `each` of them at once.
double storm(const Mechanism& mechanism, const DomainOptions& options, int creators, int each) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::mutex lock;
  std::exception_ptr failed;
  std::vector<std::jthread> threads;
  const auto create = [&] {
    ++ready;
    go.wait(false);
    try {
      for (int i = 0; i < each; ++i) short_life(mechanism, options);
    } catch (...) {
      const std::lock_guard guard(lock);
      if (!failed) failed = std::current_exception();
    }
  };
  const auto open = [&] {
    go = true;
    go.notify_all();
  };
  try {
    for (int i = 0; i < creators; ++i) threads.emplace_back(create);
  } catch (...) {
    open();
    throw;
  }
  while (ready < creators) std::this_thread::yield();
  const double all = measure::seconds_of([&] {
    open();
    threads.clear();  // joins
  });
  if (failed) std::rethrow_exception(failed);
  return all / (static_cast<double>(creators) * each);
}

}  // namespace

CellResult measure_creation(const Mechanism& mechanism, const CreationOptions& options) {
  Series create{"creation.create", "", 0, "s", {}};
  Series first{"creation.first_call", "", 0, "s", {}};
  Series second{"creation.second_call", "", 0, "s", {}};
  Series teardown{"creation.teardown", "", 0, "s", {}};
  for (int i = 0; i < options.warm_up; ++i) one_life(mechanism, options.domain);
  for (int i = 0; i < options.repetitions; ++i) {
    const Life life = one_life(mechanism, options.domain);
    create.values.push_back(life.create);
    first.values.push_back(life.first_call);
    second.values.push_back(life.second_call);
    teardown.values.push_back(life.teardown);
  }
  CellResult result{mechanism.name, {create, first, second, teardown}, {}};
  if (options.sustained > 0) {
    Series s{"creation.sustained", "", 0, "s", {}};
    for (int i = 0; i < options.repetitions; ++i)
      s.values.push_back(batch_seconds(static_cast<std::uint64_t>(options.sustained),
                                       [&] { short_life(mechanism, options.domain); }));
    result.series.push_back(std::move(s));
  }
  for (const int creators : options.creators) {
    Series s{"creation.storm", "", static_cast<std::uint64_t>(creators), "s", {}};
    for (int i = 0; i < std::max(options.repetitions / 4, 1); ++i) {
      check_interrupt();
      s.values.push_back(storm(mechanism, options.domain, creators, options.per_creator));
    }
    result.series.push_back(std::move(s));
  }
  return result;
}

}  // namespace missive::domains
