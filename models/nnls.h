#pragma once
// Least squares with coefficients that are not negative. Eigen as Debian packages it has none.

#include <Eigen/Core>

namespace missive {

// x >= 0 minimising |a x - b|. Lawson and Hanson, "Solving Least Squares Problems", Prentice-Hall
// 1974, chapter 23; each subproblem by QR with column pivoting. Columns that depend on each other
// are allowed: one solution is returned.
Eigen::VectorXd nnls(const Eigen::MatrixXd& a, const Eigen::VectorXd& b);

}  // namespace missive
