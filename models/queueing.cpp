#include "models/queueing.h"

#include <cmath>
#include <stdexcept>

namespace missive {

namespace {

// Utilisation.
double load(double lambda, double mu, int servers) {
  if (!(lambda > 0) || !(mu > 0) || !std::isfinite(lambda) || !std::isfinite(mu) || servers < 1)
    throw std::domain_error("a queue needs positive rates and at least one server");
  const double rho = lambda / (mu * servers);
  if (rho >= 1) throw std::domain_error("the queue grows without end: arrivals outrun the servers");
  return rho;
}

}  // namespace

double mm1_response(double lambda, double mu) {
  load(lambda, mu, 1);
  return 1 / (mu - lambda);
}

double mm1_mean_number(double lambda, double mu) {
  const double rho = load(lambda, mu, 1);
  return rho / (1 - rho);
}

double mg1_wait(double lambda, double mu, double scv) {
  const double rho = load(lambda, mu, 1);
  if (!(scv >= 0)) throw std::domain_error("a squared coefficient of variation is not negative");
  return lambda * (1 + scv) / (2 * mu * mu * (1 - rho));
}

double md1_response(double lambda, double mu) { return mg1_wait(lambda, mu, 0) + 1 / mu; }

double mg1_shared_response(double lambda, double mu) { return mm1_response(lambda, mu); }

double erlang_c(double lambda, double mu, int servers) {
  const double rho = load(lambda, mu, servers);
  // Erlang B by its recurrence, which never forms a factorial, then B to C.
  const double offered = lambda / mu;
  double blocked = 1;
  for (int n = 1; n <= servers; ++n) blocked = offered * blocked / (n + offered * blocked);
  return blocked / (1 - rho * (1 - blocked));
}

double mmc_response(double lambda, double mu, int servers) {
  return erlang_c(lambda, mu, servers) / (servers * mu - lambda) + 1 / mu;
}

}  // namespace missive
