#pragma once
// What of a launch depends on how the image's files get to the application. Adding a delivery: its
// file in models/delivery/ and one line in models/delivery.cpp. The real ones, of the same names,
// are in real/launch/.

#include <cstdint>
#include <string>
#include <vector>

#include "models/launch.h"
#include "models/plan.h"

namespace missive {

// One of the parts that the launch runs come in behind a lazy start, in the order in which the
// start touches them: an equal share of everything.
struct LaunchPart {
  std::string name;
  ImageFacts image;  // its directories, entries, links, pieces, bytes and blocks of runs
  std::uint64_t lookups = 0, millionths = 0;  // of the application's start
};

using Demands = std::vector<Demand>;

// Functions may be null: nothing to do.
struct DeliveryModel {
  std::string name;
  // `create.delivery`: what needs no image.
  Demands (*prepare)() = nullptr;
  // `boot.deliver`: from the verified image until the start, beyond opening the index. May change
  // the step's amounts, which are all files and no bytes.
  void (*deliver)(Step& deliver, const LaunchScenario& s) = nullptr;
  // `boot.application`: what the application waits for, having looked up so many names.
  Demands (*look_up)(std::uint64_t lookups) = nullptr;

  // Lazily, and null throughout where a start cannot be lazy.
  struct Lazy {
    Demands (*plan)(const ImageFacts& image) = nullptr;    // the order, before the first part
    Demands (*names)(const LaunchPart& part) = nullptr;    // put ahead whoever brings the pages
    Demand (*ahead)(const LaunchPart& part) = nullptr;     // the thread behind, beyond the check
    Demand (*on_fault)(const LaunchPart& part) = nullptr;  // the application's own page faults
  };
  Lazy lazy;
  bool can_be_lazy() const { return lazy.ahead != nullptr; }
};

const std::vector<DeliveryModel>& delivery_models();
// Throws std::invalid_argument, with the names there are.
const DeliveryModel& delivery_model(const std::string& name);

}  // namespace missive
