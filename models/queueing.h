#pragma once
// Closed forms of queueing theory for queues in equilibrium: oracles that the simulators are tested
// against, and first estimates.
//
// Notation: jobs arrive in a Poisson stream of rate `lambda` per second; a server finishes `mu`
// jobs per second. Response is waiting plus service. Source: L. Kleinrock, "Queueing Systems",
// volume 1, Wiley 1975 (chapters 3 and 5). All throw std::domain_error when a rate is not positive
// or the queue has no equilibrium (lambda >= servers * mu).

namespace missive {

double mm1_response(double lambda, double mu);     // 1 / (mu - lambda)
double mm1_mean_number(double lambda, double mu);  // rho / (1 - rho)

// Waiting time with service time of mean 1/mu and squared coefficient of variation `scv`
// (Pollaczek and Khinchine): lambda (1 + scv) / (2 mu^2 (1 - rho)).
double mg1_wait(double lambda, double mu, double scv);
double md1_response(double lambda, double mu);  // constant service, scv = 0

// A processor shared equally by all jobs present: insensitive to the service distribution, with the
// mean of M/M/1. What cores and links do here.
double mg1_shared_response(double lambda, double mu);

// Probability that an arriving job has to wait (Erlang C).
double erlang_c(double lambda, double mu, int servers);
double mmc_response(double lambda, double mu, int servers);

}  // namespace missive
