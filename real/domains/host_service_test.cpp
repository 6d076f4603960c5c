// What a service of this program's own code does with records and with memory files, and that it
// believes neither.

#include "real/domains/host_service.h"

#include <array>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "models/isolation.h"
#include "real/domains/cells/exchange.h"
#include "real/domains/marshal/records.h"

namespace missive::domains {
namespace {

using testing::ElementsAre;

std::int64_t answer(Entry entry, const void* request, std::size_t size, std::uint64_t& sum) {
  return host_service(static_cast<std::int32_t>(entry), static_cast<const std::uint8_t*>(request),
                      size, reinterpret_cast<std::uint8_t*>(&sum), sizeof sum);
}

TEST(Marshalling, GivesEveryByteOfEveryFieldBack) {
  std::vector<std::byte> rows(3 * sizeof(FlatRecord));
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = static_cast<std::byte>(i % 100);
    expected += i % 100;
  }
  Marshaller marshaller;
  const auto message = marshaller.encode(rows);
  std::uint64_t sum = 0;
  EXPECT_EQ(answer(Entry::marshalled_sum, message.data(), message.size(), sum), 8);
  EXPECT_EQ(sum, expected);
}

TEST(Marshalling, ARowIsAsLongAsTheModelSays) {
  const std::vector<std::byte> rows(1000 * sizeof(FlatRecord), std::byte{7});
  Marshaller marshaller;
  EXPECT_EQ(sizeof(FlatRecord), kRowBytes);
  EXPECT_EQ(marshaller.encode(rows).size(), 1000 * kMarshalledRowBytes);
}

TEST(Marshalling, RefusesWhatIsNoMessageOfRecords) {
  const std::vector<std::byte> rows(sizeof(FlatRecord), std::byte{7});
  Marshaller marshaller;
  auto message = marshaller.encode(rows);
  std::uint64_t sum = 0;
  EXPECT_EQ(answer(Entry::marshalled_sum, message.data(), message.size() - 1, sum), -1);
  const std::array<std::uint8_t, 4> noise{0xff, 0xff, 0xff, 0xff};
  EXPECT_EQ(answer(Entry::marshalled_sum, noise.data(), noise.size(), sum), -1);
}

// A memory file of one page of ones.
UniqueFd file_with(int seals) {
  UniqueFd file(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::vector<char> page(4096, 1);
  EXPECT_EQ(::write(file.get(), page.data(), page.size()), 4096);
  EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, seals), 0);
  return file;
}

TEST(SealedMessages, AreReadOnlyWhenTheyCanNeverChangeAgain) {
  std::uint64_t sum = 0;
  const auto read = [&](const UniqueFd& file, std::uint64_t size) {
    const SealedMessage m{file.get(), -1, size};
    return answer(Entry::sealed_sum, &m, sizeof m, sum);
  };
  EXPECT_EQ(read(file_with(F_SEAL_WRITE | F_SEAL_SHRINK), 4096), 8);
  EXPECT_EQ(sum, 4096U);
  EXPECT_EQ(read(file_with(F_SEAL_SHRINK), 4096), -1) << "it could be written";
  EXPECT_EQ(read(file_with(F_SEAL_WRITE), 4096), -1) << "it could become shorter: SIGBUS";
  EXPECT_EQ(read(file_with(F_SEAL_WRITE | F_SEAL_SHRINK), 8192), -1) << "it is shorter";
  EXPECT_EQ(read(UniqueFd(), 4096), -1);
  const SealedMessage m;
  EXPECT_EQ(answer(Entry::sealed_sum, &m, sizeof m - 1, sum), -1);
}

TEST(SealedMessages, WhatComesThroughTheSocketMustBeADescriptor) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd here(ends[0]), there(ends[1]);
  ASSERT_EQ(::send(here.get(), "x", 1, 0), 1);
  EXPECT_EQ(receive_descriptor(there.get()), -1);
  send_descriptor(here.get(), file_with(F_SEAL_WRITE | F_SEAL_SHRINK).get());
  const SealedMessage m{-1, there.get(), 4096};
  std::uint64_t sum = 0;
  EXPECT_EQ(answer(Entry::sealed_sum, &m, sizeof m, sum), 8);
  EXPECT_EQ(sum, 4096U);
}

TEST(Ways, AreThoseTheMechanismHas) {
  const auto ways = [](const char* name) { return Exchange(mechanism(name), 4096, {}).ways(); };
  EXPECT_THAT(ways("call"), ElementsAre(Way::local, Way::copy, Way::marshalled, Way::sealed,
                                        Way::shared, Way::pointer));
  EXPECT_THAT(ways("process-unix"),
              ElementsAre(Way::local, Way::copy, Way::marshalled, Way::sealed, Way::shared));
  if (mechanism("wasm-guard").unavailable().empty()) {
    EXPECT_THAT(ways("wasm-guard"), ElementsAre(Way::local, Way::copy, Way::shared));
  }
  if (mechanism("pie").unavailable().empty()) {
    EXPECT_THAT(ways("pie"), ElementsAre(Way::local, Way::copy, Way::shared, Way::pointer));
  }
}

TEST(Ways, AllOfThemBringTheWholeMessageEveryTime) {
  for (const char* name : {"call", "thread", "process-pipe", "process-futex"}) {
    Exchange exchange(mechanism(name), 6400, {});
    for (int i = 0; i < 130; ++i)  // the written value goes round
      for (const Way way : exchange.ways()) ASSERT_NO_THROW(exchange.run(way)) << name;
  }
}

// A mechanism that has a model is modelled in the ways it has, and in no other; but for those whose
// service is other code than the C one, which have no primitive for its reading.
TEST(Ways, AreTheModelsToo) {
  constexpr std::pair<Way, Sharing> kSame[] = {
      {Way::local, Sharing::local},           {Way::copy, Sharing::copy},
      {Way::marshalled, Sharing::marshalled}, {Way::sealed, Sharing::sealed},
      {Way::shared, Sharing::shared},         {Way::pointer, Sharing::pointer}};
  for (const Mechanism& m : mechanisms()) {
    const bool other_code = m.name == "safe-rust" || m.name == "segment";
    if (!crossing_cost(m.name) || !m.unavailable().empty() || other_code) continue;
    const auto ways = Exchange(m, 4096, {}).ways();
    for (const auto& [way, sharing] : kSame)
      EXPECT_EQ(testing::Value(ways, testing::Contains(way)),
                sharing_cost(m.name, sharing, 4096).has_value())
          << m.name << ' ' << name_of(way);
  }
}

}  // namespace
}  // namespace missive::domains
