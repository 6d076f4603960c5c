// Several launches of one application at the same moment, from one hot cache: how much longer does
// each take than its fair share of the processors?
//
//   real_launch_together_bench [--app NAME] [--count N] [--rounds N]
//
// Two readings of the fair share of one of N launches on C processors:
//   by work   N / C times the processor time that a launch alone costs the whole host: launcher,
//             cache, FUSE server, application, display, and its end. What C processors that are
//             never idle need for N of them.
//   by time   N / C times the time of a launch alone. A launch alone keeps more than one processor
//             busy (cache, FUSE server and application overlap), so this share is too low.
// Alone and together are interleaved; times from each launch's own first instruction to its ready
// mark, in milliseconds, CLOCK_MONOTONIC; processor time from /proc/stat (proc(5)), in steps of one
// tick, summed over all rounds: only on a host that does nothing else.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <sched.h>
#include <unistd.h>

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

// Seconds that the processors of this host have worked since it started.
double busy_seconds() {
  std::ifstream in("/proc/stat");
  std::string word;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft_irq = 0;
  if (!(in >> word >> user >> nice >> system >> idle >> wait >> irq >> soft_irq))
    throw RunError("/proc/stat: cannot be read");
  return (user + nice + system + irq + soft_irq) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void print_share(const char* reading, double share, const std::vector<double>& together,
                 const std::vector<double>& slowest) {
  const double worst = *std::max_element(slowest.begin(), slowest.end());
  std::printf(
      "share by %-4s %8.1f ms: together median %.2f x; slowest of a round: median %.2f x, "
      "worst %.2f x\n",
      reading, share, median(together) / share, median(slowest) / share, worst / share);
}

int run(const std::string& name, int count, int rounds) {
  TestbedOptions options;
  options.application = application(name);
  options.warm_with = options.application;
  Testbed bed(options);
  const LaunchVariant hot;
  bed.launch(hot);  // fills the cache
  std::vector<double> alone, together, slowest;
  double work = 0;
  for (int round = 0; round < rounds; ++round) {
    const double before = busy_seconds();
    alone.push_back(milliseconds_of(bed.launch(hot)));
    work += (busy_seconds() - before) * 1e3 / rounds;
    std::vector<double> times;
    for (const auto& outcome : bed.launch_together(hot, static_cast<std::size_t>(count)))
      times.push_back(milliseconds_of(outcome));
    together.insert(together.end(), times.begin(), times.end());
    slowest.push_back(*std::max_element(times.begin(), times.end()));
  }
  const int processors = usable_processors();
  const double share = std::max(1.0, static_cast<double>(count) / processors);
  std::printf("%s, hot, verified by MAC: %d launches at once on %d processors, %d rounds\n",
              name.c_str(), count, processors, rounds);
  std::printf("alone      median %8.1f ms, %.1f ms of processor time\n", median(alone), work);
  std::printf("together   median %8.1f ms, slowest of a round: median %.1f ms, worst %.1f ms\n",
              median(together), median(slowest), *std::max_element(slowest.begin(), slowest.end()));
  print_share("work", share * std::max(work, median(alone)), together, slowest);
  print_share("time", share * median(alone), together, slowest);
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
