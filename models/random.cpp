#include "models/random.h"

#include <cmath>
#include <stdexcept>

namespace missive {

namespace {

// Horner's rule, highest coefficient last.
template <std::size_t N>
double polynomial(const std::array<double, N>& coefficients, double x) {
  double value = 0;
  for (std::size_t i = N; i-- > 0;) value = value * x + coefficients[i];
  return value;
}

// AS 241, routine PPND16: rational approximations for the centre, the flanks and the far tails.
constexpr std::array kCentreOver{3.3871328727963666080e0, 1.3314166789178437745e2,
                                 1.9715909503065514427e3, 1.3731693765509461125e4,
                                 4.5921953931549871457e4, 6.7265770927008700853e4,
                                 3.3430575583588128105e4, 2.5090809287301226727e3};
constexpr std::array kCentreUnder{1.0,
                                  4.2313330701600911252e1,
                                  6.8718700749205790830e2,
                                  5.3941960214247511077e3,
                                  2.1213794301586595867e4,
                                  3.9307895800092710610e4,
                                  2.8729085735721942674e4,
                                  5.2264952788528545610e3};
constexpr std::array kFlankOver{1.42343711074968357734e0,  4.63033784615654529590e0,
                                5.76949722146069140550e0,  3.64784832476320460504e0,
                                1.27045825245236838258e0,  2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr std::array kFlankUnder{1.0,
                                 2.05319162663775882187e0,
                                 1.67638483018380384940e0,
                                 6.89767334985100004550e-1,
                                 1.48103976427480074590e-1,
                                 1.51986665636164571966e-2,
                                 5.47593808499534494600e-4,
                                 1.05075007164441684324e-9};
constexpr std::array kTailOver{6.65790464350110377720e0,  5.46378491116411436990e0,
                               1.78482653991729133580e0,  2.96560571828504891230e-1,
                               2.65321895265761230930e-2, 1.24266094738807843860e-3,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr std::array kTailUnder{1.0,
                                5.99832206555887937690e-1,
                                1.36929880922735805310e-1,
                                1.48753612908506148525e-2,
                                7.86869131145613259100e-4,
                                1.84631831751005468180e-5,
                                1.42151175831644588870e-7,
                                2.04426310338993978564e-15};

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

}  // namespace

PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) {
  constexpr std::uint64_t kMultiply0 = 0xD2511F53, kMultiply1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiply0 * counter[0];
    const std::uint64_t product1 = kMultiply1 * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1),
               high(product0) ^ counter[3] ^ key[1], low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

double normal_quantile(double p) {
  if (!(p > 0 && p < 1)) throw std::domain_error("a normal quantile needs 0 < p < 1");
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kCentreOver, r) / polynomial(kCentreUnder, r);
  }
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double size = r <= 5 ? polynomial(kFlankOver, r - 1.6) / polynomial(kFlankUnder, r - 1.6)
                             : polynomial(kTailOver, r - 5) / polynomial(kTailUnder, r - 5);
  return q < 0 ? -size : size;
}

std::uint64_t Random::bits() {
  const std::uint64_t i = index_++;
  const PhiloxCounter block =
      philox4x32({low(i), high(i), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
  return (static_cast<std::uint64_t>(block[1]) << 32) | block[0];
}

double Random::uniform() {
  // The middle of one of 2^52 equal cells: exact in a double, and never 0 or 1.
  return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52;
}

std::uint64_t Random::below(std::uint64_t n) {
  if (n == 0) throw std::domain_error("no number is below zero");
  // Rejects the incomplete last run of n values, so that no remainder is favoured.
  const std::uint64_t unfair = (0 - n) % n;
  std::uint64_t x = bits();
  while (x < unfair) x = bits();
  return x % n;
}

double Random::exponential(double mean) {
  if (!(mean > 0)) throw std::domain_error("an exponential time needs a mean above zero");
  return -mean * std::log(uniform());
}

double Random::normal() { return normal_quantile(uniform()); }

double Random::lognormal(double mu, double sigma) {
  if (!(sigma >= 0)) throw std::domain_error("a lognormal needs sigma of at least zero");
  return std::exp(mu + sigma * normal());
}

}  // namespace missive
