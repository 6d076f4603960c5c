// Several launches of one application at the same moment, from one hot cache: how much longer does
// each take than its fair share of the processors?
//
//   real_launch_together_bench [--app NAME] [--count N] [--rounds N]
//
// The fair share of one of N launches on C processors is N / C times the time of a launch alone, if
// that keeps one processor busy. A launch alone uses more than one here (cache, FUSE server and
// application overlap), so the share is a low one. Alone and together are interleaved; times from
// each launch's own first instruction to its ready mark, in milliseconds, CLOCK_MONOTONIC.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <sched.h>

#include "models/error.h"
#include "real/launch/testbed.h"

namespace {

using namespace missive;
using namespace missive::launch;

double milliseconds_of(const LaunchOutcome& outcome) {
  return to_seconds(outcome.records.back().end - outcome.records.front().start) * 1e3;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

int run(const std::string& name, int count, int rounds) {
  TestbedOptions options;
  options.application = application(name);
  options.warm_with = options.application;
  Testbed bed(options);
  const LaunchVariant hot;
  bed.launch(hot);  // fills the cache
  std::vector<double> alone, together, slowest;
  for (int round = 0; round < rounds; ++round) {
    alone.push_back(milliseconds_of(bed.launch(hot)));
    std::vector<double> times;
    for (const auto& outcome : bed.launch_together(hot, static_cast<std::size_t>(count)))
      times.push_back(milliseconds_of(outcome));
    together.insert(together.end(), times.begin(), times.end());
    slowest.push_back(*std::max_element(times.begin(), times.end()));
  }
  const int processors = usable_processors();
  const double share = median(alone) * std::max(1.0, static_cast<double>(count) / processors);
  std::printf("%s, hot, verified by MAC: %d launches at once on %d processors, %d rounds\n",
              name.c_str(), count, processors, rounds);
  std::printf("alone      median %8.1f ms, so a fair share of %.1f ms\n", median(alone), share);
  std::printf(
      "together   median %8.1f ms (%.2f x the share), slowest of a round: median %.1f ms "
      "(%.2f x), worst %.1f ms (%.2f x)\n",
      median(together), median(together) / share, median(slowest), median(slowest) / share,
      *std::max_element(slowest.begin(), slowest.end()),
      *std::max_element(slowest.begin(), slowest.end()) / share);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string app = "gnumeric";
  int count = 8, rounds = 7;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--app") app = argv[i + 1];
    if (flag == "--count") count = std::clamp(std::atoi(argv[i + 1]), 1, 64);
    if (flag == "--rounds") rounds = std::max(1, std::atoi(argv[i + 1]));
  }
  try {
    return run(app, count, rounds);
  } catch (const missive::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
