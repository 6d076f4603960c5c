#pragma once
// Micro-measurements: what calibrates the cost models. Each times one kind of work alone, at sizes
// that no experiment uses, on data it makes itself; none of them launches an application. Adding
// one: its function in a file here and one line in micro.cpp. Its name is the name of the cost
// model it calibrates (models/cost.h).

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/plan.h"
#include "real/measure/bench_bed.h"

namespace missive::measure {

// One timed design point: so many calls, bytes and items took so long.
struct MicroSample {
  std::string micro;
  std::uint64_t calls = 0, bytes = 0, items = 0;
  double seconds = 0;
};

// Collects the samples of one micro-measurement.
class Sampler {
 public:
  Sampler(std::string micro, std::vector<MicroSample>& out) : micro_(std::move(micro)), out_(out) {}
  void add(std::uint64_t calls, std::uint64_t bytes, std::uint64_t items, double seconds) {
    out_.push_back({micro_, calls, bytes, items, seconds});
  }

 private:
  std::string micro_;
  std::vector<MicroSample>& out_;
};

struct Micro {
  std::string name;
  std::string what;  // how it is measured, one sentence
  bool call, byte,
      item;  // columns of the fit; a column the cost model does not use is a nuisance term
  void (*run)(BenchBed&, Sampler&);
};
const std::vector<Micro>& micros();

// Runs every micro-measurement `repetitions` times in random order (seeded) in this process.
// Warm-up runs are dropped,
// and so are micro-measurements of what this host cannot do.
std::vector<MicroSample> run_micros(BenchBed& bed, int repetitions, std::uint64_t seed);

}  // namespace missive::measure
