#include "real/measure/micro_verification.h"

#include <functional>

#include "models/random.h"
#include "models/verification.h"
#include "real/measure/read_memory.h"
#include "real/measure/verification_timing.h"

namespace missive::measure {

namespace {

constexpr std::uint64_t kShortBytes = 48 << 10;  // what short messages are taken from

struct Design {
  VerificationMicro micro;
  VerificationWork work;  // without an algorithm: the team
};

std::vector<Design> designs() {
  std::vector<Design> all;
  const auto cpus = static_cast<std::uint64_t>(usable_cpus());
  const std::string width = to_string(widest_read());
  for (const std::string bound : {"read", "copy"}) {
    const std::string what = bound == "read" ? width + " reads of 40 MiB" : "memcpy of 40 MiB";
    all.push_back({{"verify." + bound + ".memory", what + ", one core", false, true},
                   {bound, {kCalibrationBytes}, 0, 1}});
    if (cpus > 1)
      all.push_back({{"verify." + bound + ".all", what + ", all cores", false, true},
                     {bound, {kCalibrationBytes}, 0, cpus}});
  }
  if (cpus > 1)
    all.push_back({{"verify.team", "waking a thread on every core and waiting for it", true, false},
                   {"", {}, 0, cpus}});
  for (const verify::Algorithm& a : verify::algorithms()) {
    if (!verify::unavailable(a).empty()) continue;
    const auto add = [&](std::uint64_t size, Residency r, std::uint64_t bytes) {
      if (a.longest > 0 && size > a.longest) return;
      std::string name = verify_parameter(a.name, size, r);
      name.resize(name.rfind('.'));
      all.push_back({{std::move(name),
                      to_string(Bytes{bytes}) + " in " + to_string(r) + ", messages of " +
                          std::to_string(size) + " B",
                      false, true},
                     {a.name, {bytes}, size, 1, r}});
    };
    for (const std::uint64_t size : kShortSizes)
      add(size, Residency::cache, kShortBytes / size * size);
    for (const std::uint64_t size : kMessageSizes) {
      add(size, Residency::memory, kCalibrationBytes);
      add(size, Residency::cache, std::max(kCachedCalibrationBytes, size));
    }
  }
  return all;
}

}  // namespace

std::vector<VerificationMicro> verification_micros() {
  std::vector<VerificationMicro> all;
  for (Design& d : designs()) all.push_back(std::move(d.micro));
  return all;
}

std::vector<MicroSample> run_verification_micros(int repetitions, std::uint64_t seed) {
  const std::vector<Design> all = designs();
  VerificationTimer timer(kCalibrationBytes);
  std::vector<std::size_t> order;
  for (int r = 0; r < repetitions; ++r)
    for (std::size_t i = 0; i < all.size(); ++i) order.push_back(i);
  Random random(seed, 0);
  random.shuffle(order);
  std::vector<MicroSample> samples;
  for (const std::size_t i : order) {
    const Design& d = all[i];
    if (d.work.algorithm.empty())
      samples.push_back({d.micro.name, 1, 0, 0, timer.wake_team(d.work.threads)});
    else
      samples.push_back({d.micro.name, 0, d.work.bytes.count, 0, timer.run(d.work)});
  }
  return samples;
}

}  // namespace missive::measure
