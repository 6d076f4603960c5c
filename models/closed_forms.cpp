#include "models/closed_forms.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <fmt/format.h>

#include "models/error.h"
#include "models/isolation.h"
#include "models/nearest.h"
#include "models/queueing.h"

namespace missive {

namespace {

using Arguments = std::map<std::string, double>;

double share(double value, const char* name) {
  if (!(value >= 0 && value < 1))
    throw std::domain_error(fmt::format("'{}' is a share: at least 0 and below 1", name));
  return value;
}

double positive(double value, const char* name) {
  if (!(value > 0) || !std::isfinite(value))
    throw std::domain_error(fmt::format("'{}' must be positive", name));
  return value;
}

// Throughput gained when a share g of all cycles does no work any more: the same work takes 1 - g.
double regained_throughput(const Arguments& a) {
  const double g = share(a.at("regained"), "regained");
  return g / (1 - g);
}

// Share of cycles saved, net: what is regained less the slow-down of the useful rest.
double net_regained(const Arguments& a) {
  const double g = share(a.at("regained"), "regained");
  return g - a.at("slow_down") * (1 - g);
}

// Probability that a request that waits for n independent parts meets at least one slow one
// (Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013).
double any_slow(const Arguments& a) {
  return 1 -
         std::pow(1 - share(a.at("slow_share"), "slow_share"), positive(a.at("parts"), "parts"));
}

double address_slots(const Arguments& a) {
  return std::floor(std::exp2(positive(a.at("address_bits"), "address_bits")) /
                    positive(a.at("slot_bytes"), "slot_bytes"));
}

// Mean response of a chain of M/M/1 services over that of the chain when it is empty: 1/(1 - rho)
// whatever its depth (Kleinrock, volume 1, chapter 3).
double chain_response_ratio(const Arguments& a) {
  const double depth = positive(a.at("depth"), "depth");
  const double load = share(a.at("load"), "load");
  if (load <= 0) return 1;
  return depth * mm1_response(load, 1) / depth;
}

// Speed-up of a chain of dependent loads that hit the first-level cache when each takes fewer
// cycles. Independent loads overlap and gain nothing: this is the most there is.
double chase_speed_up(const Arguments& a) {
  const double before = positive(a.at("cycles_before"), "cycles_before");
  return before / positive(a.at("cycles_after"), "cycles_after");
}

// Universal scalability law (Gunther, "Guerrilla Capacity Planning", 2007).
double scalability(const Arguments& a) {
  const double n = positive(a.at("threads"), "threads");
  return a.at("single") * n / (1 + a.at("serial") * (n - 1) + a.at("crosstalk") * n * (n - 1));
}

double recipe(const Arguments& a) {
  return merkle_recipe_bytes(a.at("image_bytes"), a.at("block_bytes"), a.at("degree"));
}

// Bytes lost when every chunk starts a block of its own: half a block each on average.
double unpacked_padding(const Arguments& a) {
  return positive(a.at("chunks"), "chunks") * positive(a.at("block_bytes"), "block_bytes") / 2;
}

double break_even(const Arguments& a) {
  return break_even_switch_rate(a.at("slow_down"), a.at("switch_s"));
}

}  // namespace

const std::vector<ClosedForm>& closed_forms() {
  static const std::vector<ClosedForm> forms{
      {"regained_throughput", "g / (1 - g)", {"regained"}, regained_throughput},
      {"net_regained", "g - slow_down (1 - g)", {"regained", "slow_down"}, net_regained},
      {"any_slow", "1 - (1 - p)^n", {"slow_share", "parts"}, any_slow},
      {"address_slots", "2^bits / slot", {"address_bits", "slot_bytes"}, address_slots},
      {"chain_response_ratio", "1 / (1 - rho)", {"depth", "load"}, chain_response_ratio},
      {"chase_speed_up", "before / after", {"cycles_before", "cycles_after"}, chase_speed_up},
      {"scalability",
       "L n / (1 + s (n - 1) + k n (n - 1))",
       {"single", "serial", "crosstalk", "threads"},
       scalability},
      {"merkle_recipe_bytes",
       "24 bytes for every node but the root",
       {"image_bytes", "block_bytes", "degree"},
       recipe},
      {"unpacked_padding", "chunks x block / 2", {"chunks", "block_bytes"}, unpacked_padding},
      {"break_even_switch_rate", "slow_down / switch", {"slow_down", "switch_s"}, break_even},
  };
  return forms;
}

double closed_form(const std::string& name, const std::map<std::string, double>& arguments) {
  std::vector<std::string> names;
  for (const ClosedForm& form : closed_forms()) {
    names.push_back(form.name);
    if (form.name != name) continue;
    for (const std::string& wanted : form.arguments)
      if (!arguments.contains(wanted))
        throw InputError(fmt::format("{}: argument '{}' is missing", name, wanted));
    for (const auto& [given, value] : arguments)
      if (std::find(form.arguments.begin(), form.arguments.end(), given) == form.arguments.end())
        throw InputError(fmt::format("{}: unknown argument '{}'{}", name, given,
                                     did_you_mean(given, form.arguments)));
    try {
      return form.value(arguments);
    } catch (const std::domain_error& e) {
      throw InputError(fmt::format("{}: {}", name, e.what()));
    }
  }
  throw InputError(fmt::format("no closed form '{}'{}", name, did_you_mean(name, names)));
}

double merkle_recipe_bytes(double image_bytes, double block_bytes, double degree) {
  constexpr double kRecord = 24;
  positive(image_bytes, "image_bytes");
  positive(block_bytes, "block_bytes");
  if (!(degree >= 2)) throw std::domain_error("a tree's degree is at least 2");
  double level = std::ceil(image_bytes / block_bytes), nodes = 0;
  while (level > 1) {
    nodes += level;
    level = std::ceil(level / degree);
  }
  return nodes * kRecord;
}

}  // namespace missive
