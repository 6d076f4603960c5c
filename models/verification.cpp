#include "models/verification.h"

#include <algorithm>
#include <span>
#include <stdexcept>

#include <fmt/format.h>

namespace missive {

namespace {

class Predictor {
 public:
  Predictor(const VerificationWork& work, const ParameterSet& parameters)
      : work_(work), parameters_(parameters) {}

  VerificationCost cost() {
    const double bytes = static_cast<double>(work_.bytes.count);
    const bool plain = work_.algorithm == "read" || work_.algorithm == "copy";
    double one = bytes * (plain ? bound_cost() : byte_cost(work_.message, work_.residency));
    std::string formula = fmt::format("{} x byte cost", to_string(work_.bytes));
    if (work_.degree > 0 && work_.message > 0) {
      const std::uint64_t leaves = (work_.bytes.count + work_.message - 1) / work_.message;
      const InnerNodes inner = inner_nodes_of(leaves, work_.degree, work_.digest_bytes);
      if (inner.nodes > 0) {
        inner_ = static_cast<double>(inner.bytes) *
                 byte_cost(inner.bytes / inner.nodes, Residency::cache);
        formula += fmt::format(" + {} inner nodes", inner.nodes);
      }
    }
    out_.seconds = one + inner_;
    if (work_.threads > 1) {
      const double together =
          work_.residency == Residency::memory ? bytes * read("verify." + all_cores()) : 0;
      const double n = static_cast<double>(work_.threads);
      out_.seconds = std::max(one / n, together) + inner_ + read("verify.team.call_s");
      formula = fmt::format("max(({}) / {}, all cores' reading) + team", formula, work_.threads);
    }
    out_.formula = formula;
    return std::move(out_);
  }

 private:
  std::string all_cores() const {
    return work_.algorithm == "copy" ? "copy.all.byte_s" : "read.all.byte_s";
  }
  double bound_cost() { return read("verify." + work_.algorithm + ".memory.byte_s"); }

  double read(const std::string& name) {
    if (std::find(out_.parameters.begin(), out_.parameters.end(), name) == out_.parameters.end())
      out_.parameters.push_back(name);
    return parameters_.at(name).value;
  }

  // Seconds a byte in messages of a size; beyond the ends the end's cost a byte.
  double byte_cost(std::uint64_t message, Residency residency) {
    const bool as_other = work_.other_from > 0 && message >= work_.other_from;
    const std::string& name = as_other ? work_.other : work_.algorithm;
    std::vector<std::uint64_t> sizes;
    if (message < kMessageSizes[0] && residency == Residency::cache)
      sizes.assign(std::begin(kShortSizes), std::end(kShortSizes));
    for (const std::uint64_t size : kMessageSizes)
      if (as_other || work_.other_from == 0 || size < work_.other_from) sizes.push_back(size);
    const auto above = std::lower_bound(sizes.begin(), sizes.end(), message);
    if (above == sizes.end()) return read(verify_parameter(name, sizes.back(), residency));
    if (*above == message || above == sizes.begin())
      return read(verify_parameter(name, *above, residency));
    const double low = static_cast<double>(*(above - 1)), high = static_cast<double>(*above);
    const double size = static_cast<double>(message);
    const double a = low * read(verify_parameter(name, *(above - 1), residency));
    const double b = high * read(verify_parameter(name, *above, residency));
    return (a + (b - a) * (size - low) / (high - low)) / size;
  }

  const VerificationWork& work_;
  const ParameterSet& parameters_;
  double inner_ = 0;
  VerificationCost out_;
};

}  // namespace

std::string to_string(Residency residency) {
  return residency == Residency::memory ? "memory" : "cache";
}

std::string verify_parameter(const std::string& algorithm, std::uint64_t message,
                             Residency residency) {
  return fmt::format("verify.{}.{}.{}.byte_s", algorithm, message, to_string(residency));
}

InnerNodes inner_nodes_of(std::uint64_t leaves, std::uint64_t degree, std::uint64_t digest_bytes) {
  if (degree < 2) throw std::invalid_argument("a tree's degree is at least 2");
  InnerNodes sum;
  for (std::uint64_t nodes = leaves; nodes > 1;) {
    sum.bytes += nodes * digest_bytes;
    nodes = (nodes + degree - 1) / degree;
    sum.nodes += nodes;
  }
  return sum;
}

VerificationCost predict(const VerificationWork& work, const ParameterSet& parameters) {
  if (work.threads == 0) throw std::invalid_argument("no thread");
  return Predictor(work, parameters).cost();
}

}  // namespace missive
