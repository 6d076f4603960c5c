#include "real/origin/server.h"

#include <csignal>
#include <fstream>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "models/error.h"
#include "real/origin/client.h"
#include "real/origin/protocol.h"
#include "real/origin/test_image.h"

namespace missive::origin {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(10'000);

// What the server answers to these bytes until it closes or a body of the announced length came.
std::string answer_to(const std::string& url, const std::string& request) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return "cannot connect";
  }
  ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
  ::shutdown(socket.get(), SHUT_WR);
  std::string answer(4096, '\0');
  const ssize_t n = ::recv(socket.get(), answer.data(), answer.size(), MSG_WAITALL);
  answer.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return answer;
}

std::string post(const std::string& path, const std::string& body) {
  return "POST " + path +
         " HTTP/1.1\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST(OriginServer, AnswersMalformedRequestsAndGoesOn) {
  const TestImage image(2, 1);
  Server server;
  server.publish(image.publication("demo"));
  server.listen();
  const std::string path = "/v1/blocks/" + zar::to_hex(image.name());
  using testing::HasSubstr;
  using testing::StartsWith;
  EXPECT_THAT(answer_to(server.url(), post(path, "")), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer_to(server.url(), post(path, std::string(33, 'x'))), HasSubstr("32 bytes"));
  EXPECT_THAT(answer_to(server.url(), post(path, std::string(32, 'x'))), HasSubstr("no block"));
  const std::string too_many((kMaxBlocksPerRequest + 1) * 32, 'x');
  EXPECT_THAT(answer_to(server.url(), post(path, too_many)), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer_to(server.url(), post("/v1/blocks/zz", std::string(32, 'x'))),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer_to(server.url(), "GET /v1/recipe/12 HTTP/1.1\r\nConnection: close\r\n\r\n"),
              HasSubstr("64 hexadecimal"));
  EXPECT_THAT(answer_to(server.url(), "GET /else HTTP/1.1\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 404"));
  answer_to(server.url(), "\0\1\2 garbage");
  answer_to(server.url(), std::string(1'000'000, 'G'));
  answer_to(server.url(), "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n");
  answer_to(server.url(), "GET / HTTP/1.1\r\nX: " + std::string(1'000'000, 'a') + "\r\n\r\n");
  Client client(server.url(), kPatience);
  EXPECT_EQ(client.get_boot_block("demo"), image.boot_block());
}

TEST(OriginServer, RefusesAnImageThatDoesNotFitItsRecipe) {
  const TestImage image(2, 1), longer(3, 1);
  Server server;
  EXPECT_THROW(server.publish({"demo", longer.path(), image.recipe(), {}}), InputError);
  EXPECT_THROW(server.publish({"", image.path(), image.recipe(), {}}), InputError);
  EXPECT_THROW(server.publish({std::string(129, 'a'), image.path(), image.recipe(), {}}),
               InputError);
  EXPECT_THROW(server.publish({"demo", "/nonexistent", image.recipe(), {}}), RunError);
}

TEST(OriginServer, StopsAtOnceWithConnectionsOpen) {
  const TestImage image(2, 1);
  Server server;
  server.publish(image.publication("demo"));
  server.listen();
  Client client(server.url(), kPatience);
  client.get_boot_block("demo");
  server.stop();  // hangs the test if it waited for the client to close
  EXPECT_THROW(client.get_boot_block("demo"), RunError);
}

TEST(OriginProcess, ServesFromAnotherProcessAndLeavesNothingBehind) {
  const TestImage image(5, 1);
  pid_t pid = -1;
  {
    OriginProcess origin({image.publication("demo")});
    pid = origin.pid();
    EXPECT_TRUE(origin.running());
    Client client(origin.url(), kPatience);
    std::size_t blocks = 0;
    client.get_blocks(image.name(), image.recipe().leaves, TestImage::kBlock,
                      [&](const zar::Digest&, std::span<const std::byte>) { ++blocks; });
    EXPECT_EQ(blocks, 5U);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH) << "stopped and reaped";
}

TEST(OriginProcess, QuotesTheReasonWhenItCannotStart) {
  const TestImage image(2, 1), longer(3, 1);
  try {
    const OriginProcess origin({{"demo", longer.path(), image.recipe(), {}}});
    FAIL() << "started";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("not the recipe's"));
  }
}

TEST(OriginProcess, DiesMidTransferAndTheClientSaysSo) {
  const TestImage image(64, 1);
  OriginProcess origin({image.publication("demo")});
  Client client(origin.url(), kPatience);
  std::size_t blocks = 0;
  EXPECT_THROW(client.get_blocks(image.name(), image.recipe().leaves, TestImage::kBlock,
                                 [&](const zar::Digest&, std::span<const std::byte>) {
                                   if (++blocks == 1) origin.kill_now();
                                 }),
               RunError);
  EXPECT_LT(blocks, 64U);
  EXPECT_FALSE(origin.running());
}

TEST(OriginProcess, DiesWithItsParent) {
  const TestImage image(2, 1);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const OriginProcess origin({image.publication("demo")});
    const pid_t pid = origin.pid();
    [[maybe_unused]] const auto n = ::write(ends[1], &pid, sizeof pid);
    ::_exit(0);  // no destructor runs
  }
  pid_t origin = -1;
  ASSERT_EQ(::read(ends[0], &origin, sizeof origin), static_cast<ssize_t>(sizeof origin));
  ::waitpid(parent, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  // Orphans go to init, or to this process if it is a subreaper; a zombie is dead too.
  bool dead = false;
  for (int i = 0; i < 500 && !dead; ++i) {
    std::ifstream stat("/proc/" + std::to_string(origin) + "/stat");
    std::string pid, comm, state;
    dead = !(stat >> pid >> comm >> state) || state == "Z" || state == "X";
    if (!dead) ::usleep(10'000);
  }
  EXPECT_TRUE(dead);
}

}  // namespace
}  // namespace missive::origin
