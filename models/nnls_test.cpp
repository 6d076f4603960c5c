#include "models/nnls.h"

#include <gtest/gtest.h>

#include <Eigen/QR>

#include "models/random.h"

namespace missive {
namespace {

Eigen::MatrixXd random_matrix(Random& random, Eigen::Index rows, Eigen::Index columns) {
  Eigen::MatrixXd a(rows, columns);
  for (double& value : a.reshaped()) value = random.normal();
  return a;
}

TEST(Nnls, EqualsLeastSquaresWhereThatIsPositive) {
  Random random(1);
  const Eigen::MatrixXd a = random_matrix(random, 20, 4);
  const Eigen::VectorXd truth = Eigen::Vector4d(1, 2, 3, 4);
  EXPECT_LT((nnls(a, a * truth) - truth).norm(), 1e-10);
}

// min (x + y - 1)^2 + (x - y - 3)^2 has x = 2, y = -1; with y >= 0: x = 2 from both rows.
TEST(Nnls, ANegativeCoefficientBecomesZeroAndTheOthersFollow) {
  const Eigen::MatrixXd a{{1, 1}, {1, -1}};
  const Eigen::VectorXd x = nnls(a, Eigen::Vector2d(1, 3));
  EXPECT_NEAR(x[0], 2, 1e-12);
  EXPECT_EQ(x[1], 0);
}

TEST(Nnls, AllZeroWhenEverythingPullsDown) {
  const Eigen::MatrixXd a{{1, 0}, {0, 1}};
  EXPECT_EQ(nnls(a, Eigen::Vector2d(-1, -2)).norm(), 0);
}

// Karush, Kuhn and Tucker: no coefficient is negative, no gradient helps, and where a coefficient
// is above zero its gradient vanishes.
TEST(Nnls, SatisfiesTheOptimalityConditionsOnRandomProblems) {
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    const Eigen::MatrixXd a = random_matrix(random, 15, 6);
    const Eigen::VectorXd b = random_matrix(random, 15, 1);
    const Eigen::VectorXd x = nnls(a, b);
    const Eigen::VectorXd gradient = a.transpose() * (b - a * x);
    for (Eigen::Index j = 0; j < 6; ++j) {
      EXPECT_GE(x[j], 0);
      EXPECT_LE(gradient[j], 1e-9);
      if (x[j] > 0) {
        EXPECT_NEAR(gradient[j], 0, 1e-9);
      }
    }
  }
}

TEST(Nnls, DependentColumnsStillGiveASolution) {
  const Eigen::MatrixXd a{{1, 2}, {2, 4}, {3, 6}};
  const Eigen::Vector3d b(1, 2, 3);
  EXPECT_LT((a * nnls(a, b) - b).norm(), 1e-10);
}

}  // namespace
}  // namespace missive
