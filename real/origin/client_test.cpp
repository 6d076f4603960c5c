#include "real/origin/client.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "models/error.h"
#include "real/error_testing.h"
#include "real/origin/scripted_server.h"
#include "real/origin/server.h"
#include "real/origin/test_image.h"

namespace missive::origin {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
constexpr auto kPatience = milliseconds(10'000);

// Nobody accepts, and its queue is full: who connects gets no answer at all (listen(2)).
class FullListener {
 public:
  FullListener() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(listener_.get(), generic(), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 0), 0);
    EXPECT_EQ(::getsockname(listener_.get(), generic(), &size), 0);
    for (int i = 0; i < 4; ++i) {
      queue_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(queue_.back().get(), generic(), size);
    }
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(ntohs(address_.sin_port)); }

 private:
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&address_); }

  UniqueFd listener_;
  sockaddr_in address_{};
  std::vector<UniqueFd> queue_;
};

void ignore(const zar::Digest&, std::span<const std::byte>) {}

TEST(OriginClient, GetsBootBlockRecipeAndBlocksExactly) {
  const TestImage image(20, 1);
  Server server;
  server.publish(image.publication("demo app/1?x=%"));
  server.listen();
  Client client(server.url(), kPatience);

  EXPECT_EQ(client.get_boot_block("demo app/1?x=%"), image.boot_block());
  const auto wire = client.get_recipe(image.name());
  EXPECT_EQ(wire, image.recipe().serialize());

  // Neighbours, a jump back and a repetition: the order asked is the order that comes.
  const std::vector<std::size_t> order{3, 4, 5, 0, 19, 0};
  std::vector<zar::Digest> wanted;
  for (const std::size_t i : order) wanted.push_back(image.recipe().leaves[i]);
  std::size_t got = 0;
  client.get_blocks(image.name(), wanted, TestImage::kBlock,
                    [&](const zar::Digest& name, std::span<const std::byte> block) {
                      ASSERT_LT(got, order.size());
                      EXPECT_EQ(name, wanted[got]);
                      EXPECT_TRUE(std::ranges::equal(block, image.block(order[got])));
                      ++got;
                    });
  EXPECT_EQ(got, order.size());
  EXPECT_EQ(client.requests(), 3U);
  EXPECT_EQ(client.bytes_received(),
            image.boot_block().size() + wire.size() + order.size() * TestImage::kBlock);
}

TEST(OriginClient, ReportsWhatTheOriginDoesNotHave) {
  const TestImage image(4, 1);
  Server server;
  server.publish(image.publication("demo"));
  server.listen();
  Client client(server.url(), kPatience);
  EXPECT_THAT(error_of([&] { client.get_boot_block("other"); }),
              HasSubstr("404 no such application"));
  EXPECT_THAT(error_of([&] { client.get_recipe(zar::Digest{}); }), HasSubstr("404 no such image"));
  const std::vector<zar::Digest> wanted{image.recipe().leaves[0], zar::Digest{}};
  EXPECT_THAT(error_of([&] { client.get_blocks(image.name(), wanted, TestImage::kBlock, ignore); }),
              HasSubstr("has no block 0000"));
  EXPECT_EQ(client.get_boot_block("demo"), image.boot_block()) << "usable after an error";
}

TEST(OriginClient, SmallExchangesDoNotWaitForDelayedAcknowledgements) {
  const TestImage image(4, 1);
  Server server;
  server.publish(image.publication("demo"));
  server.listen();
  Client client(server.url(), kPatience);
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    const auto start = std::chrono::steady_clock::now();
    client.get_blocks(image.name(), std::span(image.recipe().leaves).first(1), TestImage::kBlock,
                      ignore);
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::ranges::nth_element(times, times.begin() + 10);
  EXPECT_LT(times[10], 20.0) << "Nagle's algorithm and delayed acknowledgements cost 40 ms";
}

TEST(OriginClient, RefusesABlockThatIsNotWhatItsNameSays) {
  const TestImage image(8, 1);
  const TestImage damaged = image.with_flipped_byte(5 * TestImage::kBlock + 77);
  Server server;
  // The recipe tells the truth about the image; the file does not hold it.
  server.publish({"demo", damaged.path(), image.recipe(), image.boot_block()});
  server.listen();
  Client client(server.url(), kPatience);
  std::size_t good = 0;
  const std::string error = error_of([&] {
    client.get_blocks(image.name(), image.recipe().leaves, TestImage::kBlock,
                      [&](const zar::Digest&, std::span<const std::byte>) { ++good; });
  });
  EXPECT_THAT(error, HasSubstr("block 5 of the reply is not"));
  EXPECT_THAT(error, HasSubstr(zar::to_hex(image.recipe().leaves[5])));
  EXPECT_EQ(good, 5U) << "blocks before the lie were handed over, none after it";
}

TEST(OriginClient, LetsTheSinksErrorThrough) {
  const TestImage image(8, 1);
  Server server;
  server.publish(image.publication("demo"));
  server.listen();
  Client client(server.url(), kPatience);
  EXPECT_THAT(error_of([&] {
                client.get_blocks(image.name(), image.recipe().leaves, TestImage::kBlock,
                                  [](const zar::Digest&, std::span<const std::byte>) {
                                    throw RunError("the store is full");
                                  });
              }),
              HasSubstr("the store is full"));
}

TEST(OriginClient, RefusesShortLongAndShapelessBodies) {
  const TestImage image(2, 1);
  const auto one = std::span(image.recipe().leaves).first(1);
  const std::string body(TestImage::kBlock, 'x');
  const auto refusal_of = [&](const std::string& answer) {
    ScriptedServer server(
        [&](const std::string&, const ScriptedServer::Connection& peer) { peer.send(answer); });
    Client client(server.url(), kPatience);
    return error_of([&] { client.get_blocks(image.name(), one, TestImage::kBlock, ignore); });
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  EXPECT_THAT(refusal_of(ok + "Content-Length: 5\r\n\r\nshort"), HasSubstr("expected length"));
  EXPECT_THAT(refusal_of(ok + "Content-Length: 99999999999\r\n\r\nlong"),
              HasSubstr("expected length"));
  EXPECT_THAT(refusal_of(ok + "Content-Length: 65536\r\n\r\n" + body.substr(0, 100)),
              HasSubstr("lost before"));
  EXPECT_THAT(refusal_of(ok + "\r\n" + body), HasSubstr("Content-Length"));
  EXPECT_THAT(refusal_of(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
              HasSubstr("Content-Length"));
  EXPECT_THAT(refusal_of(ok + "Content-Length: -1\r\n\r\n"), HasSubstr("Content-Length"));
  EXPECT_THAT(refusal_of(ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n12"),
              HasSubstr("Content-Length"));
  EXPECT_THAT(refusal_of("gopher\r\n\r\n"), HasSubstr("lost before"));
  EXPECT_THAT(refusal_of(""), HasSubstr("lost before"));
  EXPECT_THAT(refusal_of("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                         "Content-Length: 0\r\n\r\n"),
              HasSubstr("status 302"));
}

TEST(OriginClient, RefusesMoreThanWasAnnounced) {
  const TestImage image(1, 1);
  ScriptedServer server([&](const std::string&, const ScriptedServer::Connection& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbootand more");
    peer.hold();
  });
  Client client(server.url(), kPatience);
  EXPECT_THAT(error_of([&] { client.get_boot_block("demo"); }), HasSubstr("length"));
}

TEST(OriginClient, SurvivesHeadsWithoutEnd) {
  for (const bool in_status_line : {true, false}) {
    ScriptedServer server([&](const std::string&, const ScriptedServer::Connection& peer) {
      peer.send(in_status_line ? "HTTP/1.1 200 " : "HTTP/1.1 200 OK\r\nX: ");
      const std::string more(65536, 'a');
      for (int i = 0; i < 64 && peer.send(more); ++i) {
      }
      peer.hold();
    });
    Client client(server.url(), kPatience);
    EXPECT_THAT(error_of([&] { client.get_boot_block("demo"); }), HasSubstr("head of the answer"));
  }
}

// Each keeps the connection and gives too little; none may hold the client beyond its deadline.
TEST(OriginClient, EndsAtItsDeadlineWhateverTheOriginDoes) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n";
  const std::vector<ScriptedServer::Script> scripts{
      [](const std::string&, const ScriptedServer::Connection& peer) { peer.hold(); },
      [&](const std::string&, const ScriptedServer::Connection& peer) {
        peer.send(head + "some");
        peer.hold();
      },
      [&](const std::string&, const ScriptedServer::Connection& peer) {
        for (const char c : head + std::string(60'000, 'z')) {
          if (!peer.send(std::string_view(&c, 1))) return;
          peer.pause(20);
        }
      }};
  for (const auto& script : scripts) {
    ScriptedServer server(script);
    Client client(server.url(), milliseconds(300));
    EXPECT_THAT(error_of([&] { client.get_boot_block("demo"); }), HasSubstr("within 300 ms"));
  }
}

// Wherever it waits: for the head of an answer, in its body, for the connection itself. With its
// deadline far away, a client that is not woken keeps the test for ever.
TEST(OriginClient, EndsWhenCancelled) {
  const std::vector<ScriptedServer::Script> scripts{
      [](const std::string&, const ScriptedServer::Connection& peer) { peer.hold(); },
      [](const std::string&, const ScriptedServer::Connection& peer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\nsome");
        peer.hold();
      }};
  const auto expect_cancelled = [](const std::string& url) {
    const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC));
    std::thread canceller([&] {
      std::this_thread::sleep_for(milliseconds(50));  // most likely while the client waits
      const std::uint64_t one = 1;
      EXPECT_EQ(::write(cancel.get(), &one, sizeof one), 8);
    });
    Client client(url, std::chrono::hours(1), cancel.get());
    EXPECT_THAT(error_of([&] { client.get_boot_block("demo"); }), HasSubstr("cancelled"));
    canceller.join();
    EXPECT_THAT(error_of([&] { client.get_boot_block("demo"); }), HasSubstr("cancelled"))
        << "and stays so";
  };
  for (const auto& script : scripts) expect_cancelled(ScriptedServer(script).url());
  const FullListener full;
  expect_cancelled(full.url());
}

TEST(OriginClient, SaysWhenNobodyListens) {
  std::string url;
  {
    const ScriptedServer server([](const std::string&, const ScriptedServer::Connection&) {});
    url = server.url();
  }
  Client client(url, kPatience);
  EXPECT_THAT(error_of([&] { client.get_boot_block("demo"); }), HasSubstr("cannot connect"));
}

TEST(OriginClient, RefusesWrongUrls) {
  for (const char* url : {"", "127.0.0.1:80", "https://127.0.0.1:80", "http://127.0.0.1",
                          "http://host.example:80", "http://127.0.0.1:0", "http://127.0.0.1:8x"}) {
    EXPECT_THROW(Client(url, kPatience), InputError) << url;
  }
}

}  // namespace
}  // namespace missive::origin
