#pragma once
// What a simulation has to know of an image and is too costly to make each time: the facts of its
// index and which of its blocks another application's image has. Written by every real run, read by
// simulations; those of the shipped experiments are in traces/facts/, so that a simulation needs
// neither root nor download.

#include <filesystem>
#include <optional>

#include "harness/experiment.h"
#include "models/launch.h"
#include "real/launch/testbed.h"

namespace missive::harness {

struct LaunchFacts {
  ImageFacts image;
  ApplicationFacts application;
  std::uint64_t missing_cold = 0, missing_warm = 0;  // distinct blocks
  std::uint64_t missing(Temperature t) const {
    return t == Temperature::hot ? 0 : t == Temperature::warm ? missing_warm : missing_cold;
  }
};

// All points with the same key have the same facts.
std::string facts_key(const LaunchPoint& point);
LaunchFacts facts_of(const launch::Testbed& testbed);
// Facts kept on this host by this version of the program, else those that ship with the project.
// Throws InputError for a file that is not what it should be.
std::optional<LaunchFacts> load_facts(const std::string& key);
void save_facts(const std::string& key, const LaunchFacts& facts);

}  // namespace missive::harness
