// The client against caches that do not keep to the protocol. With the real one: server_test.cpp.

#include "real/cache/client.h"

#include <atomic>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "models/error.h"
#include "real/cache/little_endian.h"
#include "real/cache/server.h"
#include "real/cache/wire.h"
#include "real/error_testing.h"
#include "real/origin/test_image.h"

namespace missive::cache {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using wire::Message;
using Bytes = std::vector<std::byte>;

// Answers each request on its socket with whatever `script` sends.
class ScriptedCache {
 public:
  using Script = std::function<void(int socket, Message request)>;
  explicit ScriptedCache(Script script)
      : script_(std::move(script)), listener_(listen_at(path())), thread_([this] { serve(); }) {}
  ~ScriptedCache() {
    stopping_ = true;
    thread_.join();
  }
  std::filesystem::path path() const { return dir_.path() / "socket"; }
  Client client(milliseconds deadline = milliseconds(10'000)) const {
    return Client::connect(path(), deadline);
  }

 private:
  void serve() {
    UniqueFd peer;
    while (!stopping_) {
      pollfd p[] = {{listener_.get(), POLLIN, 0}, {peer.get(), POLLIN, 0}};
      if (::poll(p, peer ? 2 : 1, 20) <= 0) continue;
      if (p[0].revents != 0) peer.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer || p[1].revents == 0) continue;
      try {
        const auto request =
            wire::receive_message(peer.get(), false, wire::Deadline(milliseconds(1'000)), "test");
        script_(peer.get(), request.type);
      } catch (const RunError&) {
        peer.reset();
      }
    }
  }

  origin::TemporaryDirectory dir_;
  Script script_;
  UniqueFd listener_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

void answer(int socket, Message type, const Bytes& payload, int descriptor = -1) {
  wire::send_message(socket, type, payload, descriptor, wire::Deadline(milliseconds(1'000)),
                     "test");
}
void send_raw(int socket, const std::string& bytes) {
  ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

const zar::Digest kImage{};

TEST(CacheClient, SaysWhenNobodyListens) {
  const origin::TemporaryDirectory dir;
  EXPECT_THAT(error_of([&] { Client::connect(dir.path() / "none", milliseconds(500)); }),
              HasSubstr("cannot connect"));
  EXPECT_THAT(error_of([&] { Client::connect(std::string(200, 'p'), milliseconds(500)); }),
              HasSubstr("shorter"));
}

TEST(CacheClient, EndsAtItsDeadlineWhenNoAnswerComes) {
  const ScriptedCache silent([](int, Message) {});
  const ScriptedCache stalling([](int socket, Message) { send_raw(socket, "MSVC\1"); });
  for (const ScriptedCache* cache : {&silent, &stalling}) {
    Client client = cache->client(milliseconds(200));
    EXPECT_THAT(error_of([&] { client.lookup(kImage); }), HasSubstr("within 200 ms"));
    EXPECT_THAT(error_of([&] { client.lookup(kImage); }), HasSubstr("given up"));
  }
}

TEST(CacheClient, EndsAtItsDeadlineWhenAnAnswerNeverEnds) {
  const ScriptedCache trickling([](int socket, Message) {
    Bytes length;
    append_le(length, std::uint64_t{100'000});
    answer(socket, wire::reply_to(Message::get_copy), length);
    for (int i = 0; i < 100; ++i) {
      send_raw(socket, "x");
      ::poll(nullptr, 0, 10);
    }
  });
  Client client = trickling.client(milliseconds(200));
  Bytes into(100'000);
  EXPECT_THAT(error_of([&] { client.get_copy(kImage, into); }), HasSubstr("within 200 ms"));
}

TEST(CacheClient, SaysWhenTheCacheGoesAwayMidRequest) {
  const ScriptedCache closing([](int socket, Message) { ::shutdown(socket, SHUT_RDWR); });
  Client client = closing.client();
  EXPECT_THAT(error_of([&] { client.fetch(kImage); }), HasSubstr("connection was lost"));
}

TEST(CacheClient, HearsARefusalAlthoughItsRequestWasCut) {
  ScriptedCache cache([](int socket, Message) {
    const std::string text = "too many";
    const auto bytes = std::as_bytes(std::span(text));
    answer(socket, Message::error, Bytes(bytes.begin(), bytes.end()));
    ::shutdown(socket, SHUT_RDWR);  // without the record, which no socket's buffer holds
  });
  Client client = cache.client();
  const Bytes record(64 << 20);
  EXPECT_THAT(error_of([&] { client.put_block_tags(kImage, record); }), HasSubstr("too many"));
}

TEST(CacheClient, QuotesTheCachesOwnErrorInOneBoundedLine) {
  const ScriptedCache cache([](int socket, Message) {
    const std::string text = "bad\nthing \x1b[31m" + std::string(2000, 'z');
    const auto bytes = std::as_bytes(std::span(text));
    answer(socket, Message::error, Bytes(bytes.begin(), bytes.end()));
  });
  Client client = cache.client();
  const std::string error = error_of([&] { client.assemble(kImage); });
  EXPECT_THAT(error, HasSubstr("bad?thing ?[31mz"));
  EXPECT_LT(error.size(), 600U);
}

TEST(CacheClient, RefusesMalformedAnswers) {
  const auto refusal = [](const ScriptedCache::Script& script, auto call) {
    const ScriptedCache cache(script);
    Client client = cache.client();
    return error_of([&] { call(client); });
  };
  const auto lookup = [](Client& c) { c.lookup(kImage); };
  const auto reply = [](Message to, std::size_t size, int fill) {
    return [=](int socket, Message) {
      answer(socket, wire::reply_to(to), Bytes(size, static_cast<std::byte>(fill)));
    };
  };
  EXPECT_THAT(refusal([](int s, Message) { send_raw(s, "HTTP/1.1 200 OK\r\n\r\n"); }, lookup),
              HasSubstr("not a message of the cache protocol"));
  // Four gigabytes announced: refused before any memory is taken.
  EXPECT_THAT(
      refusal(
          [](int s, Message) { send_raw(s, std::string("MSVC\1\0\1\x80\xff\xff\xff\xff", 12)); },
          lookup),
      HasSubstr("at most"));
  EXPECT_THAT(refusal(reply(Message::lookup, 9, 0), lookup), HasSubstr("malformed"));
  EXPECT_THAT(refusal(reply(Message::lookup, 10, 7), lookup), HasSubstr("malformed"));
  EXPECT_THAT(refusal(reply(Message::fetch, 10, 0), lookup), HasSubstr("malformed"));
  EXPECT_THAT(refusal(reply(Message::fetch, 8, 0), [](Client& c) { c.fetch(kImage); }),
              HasSubstr("malformed"));
  EXPECT_THAT(refusal(reply(Message::get_tag, 0, 0), [](Client& c) { c.get_tag(kImage); }),
              HasSubstr("malformed"));
  EXPECT_THAT(refusal(reply(Message::get_tag, 100, 0), [](Client& c) { c.get_tag(kImage); }),
              HasSubstr("malformed"));
  EXPECT_THAT(refusal(reply(Message::get_tag, 4098, 1), [](Client& c) { c.get_tag(kImage); }),
              HasSubstr("malformed"));
}

TEST(CacheClient, RefusesAnImageOfAnotherLength) {
  const ScriptedCache cache([](int socket, Message) {
    Bytes length;
    append_le(length, std::uint64_t{1} << 60);
    answer(socket, wire::reply_to(Message::get_copy), length);
  });
  Client client = cache.client();
  Bytes into(4096);
  EXPECT_THAT(error_of([&] { client.get_copy(kImage, into); }), HasSubstr("instead of 4096"));
}

TEST(CacheClient, NeedsExactlyOneDescriptor) {
  const ScriptedCache none(
      [](int socket, Message request) { answer(socket, wire::reply_to(request), {}); });
  Client client = none.client();
  EXPECT_THAT(error_of([&] { client.get_sealed(kImage); }), HasSubstr("without descriptor"));

  const ScriptedCache two([](int socket, Message) {
    const int fds[] = {socket, socket};
    char control[CMSG_SPACE(sizeof fds)] = {};
    std::string head("MSVC\1\0\4\x80\0\0\0\0", 12);
    iovec piece{head.data(), head.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    std::memcpy(CMSG_DATA(c), fds, sizeof fds);
    ::sendmsg(socket, &message, MSG_NOSIGNAL);
  });
  Client other = two.client();
  EXPECT_THAT(error_of([&] { other.get_sealed(kImage); }), HasSubstr("more descriptors"));
}

TEST(CacheClient, DropsDescriptorsItDidNotAskFor) {
  const ScriptedCache cache([](int socket, Message request) {
    answer(socket, wire::reply_to(request), Bytes(10), socket);
  });
  Client client = cache.client();
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  client.lookup(kImage);
  const auto before = count();
  for (int i = 0; i < 10; ++i) client.lookup(kImage);
  EXPECT_EQ(count(), before);
}

TEST(CacheClient, SendsNoTagBeyondTheLimit) {
  const ScriptedCache cache([](int, Message) { ADD_FAILURE() << "a request was sent"; });
  Client client = cache.client();
  EXPECT_THROW(client.put_tag(kImage, Bytes(4097)), RunError);
}

}  // namespace
}  // namespace missive::cache
