#include "models/commonality.h"

#include <cmath>
#include <stdexcept>

namespace missive {

namespace {

// C(rest, drawn) / C(all, drawn): the chance that `drawn` of `all` things are all among `rest`.
double none_drawn(std::size_t rest, std::size_t all, std::size_t drawn) {
  if (drawn > rest) return 0;
  double chance = 1;
  for (std::size_t i = 0; i < drawn; ++i)
    chance *= static_cast<double>(rest - i) / static_cast<double>(all - i);
  return chance;
}

void check(const HolderBytes& holders, std::size_t n) {
  if (n < 1 || n > holders.applications())
    throw std::domain_error("the n-th of fewer than n applications");
}

}  // namespace

double expected_new_bytes(const HolderBytes& holders, std::size_t n) {
  check(holders, n);
  const std::size_t all = holders.applications();
  double sum = 0;
  for (std::size_t k = 1; k <= all; ++k)
    sum += holders.bytes[k] * static_cast<double>(k) / static_cast<double>(all) *
           none_drawn(all - k, all - 1, n - 1);
  return sum;
}

double expected_union_bytes(const HolderBytes& holders, std::size_t n) {
  check(holders, n);
  const std::size_t all = holders.applications();
  double sum = 0;
  for (std::size_t k = 1; k <= all; ++k)
    sum += holders.bytes[k] * (1 - none_drawn(all - k, all, n));
  return sum;
}

double CommonalityFit::at(double n) const { return a * std::pow(n, -b); }

CommonalityFit fit_commonality(const std::vector<double>& curve) {
  if (curve.size() < 4) throw std::domain_error("a curve of fewer than four applications");
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = curve.size() / 2; i < curve.size(); ++i) {
    if (!(curve[i] > 0)) throw std::domain_error("a curve that reaches zero");
    const double lx = std::log(static_cast<double>(i + 1)), ly = std::log(curve[i]);
    n += 1, x += lx, y += ly, xx += lx * lx, xy += lx * ly;
  }
  const double slope = (n * xy - x * y) / (n * xx - x * x);
  return {std::exp((y - slope * x) / n), -slope};
}

double commonality_metadata_bytes(double files, double path_bytes) {
  return files * 40 + path_bytes;
}

double commonality_recipe_bytes(double units, bool equally_long) {
  return 32 + units * (equally_long ? 32 : 40);
}

}  // namespace missive
