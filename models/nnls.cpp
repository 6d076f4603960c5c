#include "models/nnls.h"

#include <Eigen/QR>
#include <vector>

namespace missive {

namespace {

// Unconstrained solution over the columns in `active`, zero elsewhere.
Eigen::VectorXd solve(const Eigen::MatrixXd& a, const Eigen::VectorXd& b,
                      const std::vector<bool>& active) {
  std::vector<Eigen::Index> columns;
  for (Eigen::Index j = 0; j < a.cols(); ++j)
    if (active[static_cast<std::size_t>(j)]) columns.push_back(j);
  const Eigen::VectorXd part = a(Eigen::all, columns).colPivHouseholderQr().solve(b);
  Eigen::VectorXd x = Eigen::VectorXd::Zero(a.cols());
  x(columns) = part;
  return x;
}

// The column whose increase helps most, or -1 when none does.
Eigen::Index best_to_free(const Eigen::VectorXd& gradient, const std::vector<bool>& active,
                          double tolerance) {
  Eigen::Index best = -1;
  for (Eigen::Index j = 0; j < gradient.size(); ++j)
    if (!active[static_cast<std::size_t>(j)] && gradient[j] > tolerance &&
        (best < 0 || gradient[j] > gradient[best]))
      best = j;
  return best;
}

// Goes from x towards the infeasible `target` until the first coefficient reaches zero, and drops
// it. One is dropped at each call, so the caller's loop ends.
void step_towards(const Eigen::VectorXd& target, Eigen::VectorXd& x, std::vector<bool>& active) {
  double share = 1;
  Eigen::Index first = -1;
  for (Eigen::Index j = 0; j < x.size(); ++j) {
    if (!active[static_cast<std::size_t>(j)] || target[j] > 0) continue;
    const double reaches_zero = x[j] > 0 ? x[j] / (x[j] - target[j]) : 0;
    if (first < 0 || reaches_zero < share) {
      share = reaches_zero;
      first = j;
    }
  }
  x += share * (target - x);
  x[first] = 0;
  active[static_cast<std::size_t>(first)] = false;
}

bool feasible(const Eigen::VectorXd& x, const std::vector<bool>& active) {
  for (Eigen::Index j = 0; j < x.size(); ++j)
    if (active[static_cast<std::size_t>(j)] && x[j] <= 0) return false;
  return true;
}

}  // namespace

Eigen::VectorXd nnls(const Eigen::MatrixXd& a, const Eigen::VectorXd& b) {
  Eigen::VectorXd x = Eigen::VectorXd::Zero(a.cols());
  std::vector<bool> active(static_cast<std::size_t>(a.cols()), false);
  const double tolerance = 1e-12 * (a.transpose() * b).cwiseAbs().maxCoeff();
  // In exact arithmetic this ends by itself; rounding could make it cycle.
  for (Eigen::Index round = 0; round < 10 * a.cols(); ++round) {
    const Eigen::VectorXd gradient = a.transpose() * (b - a * x);
    const Eigen::Index next = best_to_free(gradient, active, tolerance);
    if (next < 0) break;
    active[static_cast<std::size_t>(next)] = true;
    Eigen::VectorXd target = solve(a, b, active);
    // A newly freed column that comes out negative at once is a rounding artefact (chapter 23).
    if (target[next] <= 0) {
      active[static_cast<std::size_t>(next)] = false;
      break;
    }
    while (!feasible(target, active)) {
      step_towards(target, x, active);
      target = solve(a, b, active);
    }
    x = target;
  }
  return x;
}

}  // namespace missive
