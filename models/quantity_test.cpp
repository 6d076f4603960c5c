#include "models/quantity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace missive {
namespace {

TEST(Quantity, SecondsRoundToTheNearestPicosecond) {
  EXPECT_EQ(from_seconds(1.0).count(), 1'000'000'000'000);
  EXPECT_EQ(from_seconds(0.4e-12).count(), 0);
  EXPECT_EQ(from_seconds(0.6e-12).count(), 1);
  EXPECT_EQ(from_seconds(-2e-9).count(), -2000);
  EXPECT_EQ(from_seconds(0.1).count(), 100'000'000'000);
  EXPECT_DOUBLE_EQ(to_seconds(from_seconds(1.25e-3)), 1.25e-3);
}

TEST(Quantity, SecondsThatDoNotFitAreRefused) {
  EXPECT_THROW(from_seconds(1e7), std::range_error);
  EXPECT_THROW(from_seconds(-1e7), std::range_error);
  EXPECT_THROW(from_seconds(NAN), std::range_error);
  EXPECT_THROW(from_seconds(INFINITY), std::range_error);
  EXPECT_NO_THROW(from_seconds(9e6));  // 104 days
}

TEST(Quantity, TransferTimeIsBytesOverRate) {
  EXPECT_EQ(transfer_time(Bytes{6'250'000}, Rate{6.25e6}).count(), 1'000'000'000'000);
  EXPECT_EQ(transfer_time(Bytes{0}, Rate{1}).count(), 0);
  EXPECT_THROW(transfer_time(Bytes{1}, Rate{0}), std::domain_error);
  EXPECT_THROW(transfer_time(Bytes{1}, Rate{-1}), std::domain_error);
  EXPECT_THROW(transfer_time(Bytes{1}, Rate{NAN}), std::domain_error);
}

TEST(Quantity, PrintsThreeSignificantDigits) {
  EXPECT_EQ(to_string(from_seconds(12.3e-3)), "12.3 ms");
  EXPECT_EQ(to_string(Picos{0}), "0 s");
  EXPECT_EQ(to_string(Picos{999}), "999 ps");
  EXPECT_EQ(to_string(from_seconds(2e-9)), "2.00 ns");
  EXPECT_EQ(to_string(from_seconds(999.96e-9)), "1.00 us");  // not "1000 ns"
  EXPECT_EQ(to_string(from_seconds(9.999e-3)), "10.0 ms");
  EXPECT_EQ(to_string(from_seconds(1234)), "1234 s");
  EXPECT_EQ(to_string(from_seconds(-1.5)), "-1.50 s");
  EXPECT_EQ(to_string(Bytes{512}), "512 B");
  EXPECT_EQ(to_string(Bytes{102'656'000}), "97.9 MiB");
  EXPECT_EQ(to_string(Rate{6.25e6}), "6.25 MB/s");
  EXPECT_EQ(to_string(Rate{0.5}), "0.50 B/s");
}

TEST(Quantity, ParsesTimes) {
  EXPECT_EQ(parse_time("20ms"), from_seconds(20e-3));
  EXPECT_EQ(parse_time("1.5 s"), from_seconds(1.5));
  EXPECT_EQ(parse_time("250us"), from_seconds(250e-6));
  EXPECT_EQ(parse_time("3 ps").count(), 3);
  EXPECT_EQ(parse_time("2 min"), from_seconds(120));
  EXPECT_EQ(parse_time("0s").count(), 0);
}

TEST(Quantity, ParsesBytesAndRates) {
  EXPECT_EQ(parse_bytes("64KiB").count, 65536u);
  EXPECT_EQ(parse_bytes("64kB").count, 64000u);
  EXPECT_EQ(parse_bytes("100 MB").count, 100'000'000u);
  EXPECT_EQ(parse_bytes("1.5GiB").count, 1'610'612'736u);
  EXPECT_EQ(parse_bytes("0.1 MB").count, 100'000u);
  EXPECT_DOUBLE_EQ(parse_rate("50Mbit/s").bytes_per_second, 6.25e6);
  EXPECT_DOUBLE_EQ(parse_rate("1 GB/s").bytes_per_second, 1e9);
}

TEST(Quantity, RefusesWhatIsNotAQuantity) {
  for (const char* bad : {"", "5", "ms", "-5ms", "+5ms", "nan s", "inf s", "5 parsecs", "5ms ",
                          "5 5ms", "0x10 s", "1e400 s", "1e9 h", "5KB"})
    EXPECT_THROW(parse_time(bad), std::invalid_argument) << bad;
  for (const char* bad : {"64", "64KB", "1.5 B", "-1 B", "1e30 B", "9300000 TB"})
    EXPECT_THROW(parse_bytes(bad), std::invalid_argument) << bad;
  for (const char* bad : {"50", "50Mb/s", "0 B/s", "50 Mbit"})
    EXPECT_THROW(parse_rate(bad), std::invalid_argument) << bad;
}

TEST(Quantity, RefusalNamesTheAcceptedUnits) {
  try {
    parse_bytes("64KB");
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(),
                 "'64KB' is not a size; write a number and one of the units B, kB, MB, GB, TB, "
                 "KiB, MiB, GiB, TiB");
  }
}

}  // namespace
}  // namespace missive
