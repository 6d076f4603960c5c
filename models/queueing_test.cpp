#include "models/queueing.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace missive {
namespace {

TEST(Queueing, OneServer) {
  EXPECT_DOUBLE_EQ(mm1_response(3, 5), 0.5);
  EXPECT_DOUBLE_EQ(mm1_mean_number(3, 5), 1.5);
  EXPECT_DOUBLE_EQ(mm1_mean_number(3, 5), 3 * mm1_response(3, 5));  // Little's law
}

TEST(Queueing, ConstantServiceWaitsHalfAsLong) {
  const double wait = mm1_response(3, 5) - 0.2;
  EXPECT_DOUBLE_EQ(mg1_wait(3, 5, 1), wait);
  EXPECT_DOUBLE_EQ(md1_response(3, 5), 0.2 + wait / 2);
}

TEST(Queueing, ManyServersWithOneServerIsOneServer) {
  EXPECT_DOUBLE_EQ(erlang_c(3, 5, 1), 0.6);  // P(wait) = rho
  EXPECT_DOUBLE_EQ(mmc_response(3, 5, 1), mm1_response(3, 5));
}

// By hand: offered load 2, three servers: the terms a^n/n! are 1, 2, 2 and a^3/3! / (1 - 2/3) = 4,
// so C = 4/9; response = 4/9 / (3 - 2) + 1 for mu = 1.
TEST(Queueing, ErlangCByHand) {
  EXPECT_NEAR(erlang_c(2, 1, 3), 4.0 / 9, 1e-15);
  EXPECT_NEAR(mmc_response(2, 1, 3), 4.0 / 9 + 1, 1e-15);
}

TEST(Queueing, ManyServersStayFinite) {
  EXPECT_GT(erlang_c(950, 1, 1000), 0);
  EXPECT_LT(erlang_c(950, 1, 1000), 1);
}

TEST(Queueing, NoEquilibriumIsAnError) {
  EXPECT_THROW(mm1_response(5, 5), std::domain_error);
  EXPECT_THROW(mmc_response(11, 5, 2), std::domain_error);
  EXPECT_THROW(md1_response(0, 5), std::domain_error);
  EXPECT_THROW(erlang_c(1, 1, 0), std::domain_error);
  EXPECT_THROW(mg1_wait(1, 2, -1), std::domain_error);
}

}  // namespace
}  // namespace missive
