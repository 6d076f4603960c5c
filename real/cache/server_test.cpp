// The cache as a process, with a real origin behind it.

#include <array>
#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "real/cache/disk.h"
#include "real/cache/seals.h"
#include "real/cache/server_testing.h"
#include "real/cache/temperature.h"
#include "real/cache/wire.h"
#include "real/origin/scripted_server.h"

namespace missive::cache {
namespace {

using origin::ScriptedServer;

std::uint64_t recipe_bytes(const TestImage& image) { return image.recipe().serialize().size(); }

TEST_F(Cache, FetchesAssemblesAndHandsOverExactAmounts) {
  const TestImage image(40, 1);
  OriginProcess origin({image.publication("demo")});
  auto o = options(origin.url());
  o.server.service.batch = 16;
  const CacheProcess cache(o);
  Client c = client();

  LookupReply lookup = c.lookup(image.name());
  EXPECT_FALSE(lookup.assembled);
  EXPECT_FALSE(lookup.recipe_known);
  EXPECT_THAT(error_of([&] { client().assemble(image.name()); }), HasSubstr("fetch first"));
  EXPECT_THAT(error_of([&] { client().get_sealed(image.name()); }), HasSubstr("not assembled"));

  const FetchReply fetch = c.fetch(image.name());
  EXPECT_EQ(fetch.blocks_fetched, 40U);
  EXPECT_EQ(fetch.bytes_fetched, 40 * TestImage::kBlock + recipe_bytes(image));
  EXPECT_EQ(fetch.requests, 1U + 3U) << "the recipe, and batches of 16, 16 and 8";
  const FetchReply again = c.fetch(image.name());
  EXPECT_EQ(again.bytes_fetched, 0U);
  EXPECT_EQ(again.requests, 0U);

  lookup = c.lookup(image.name());
  EXPECT_TRUE(lookup.recipe_known);
  EXPECT_EQ(lookup.blocks_missing, 0U);
  EXPECT_EQ(c.assemble(image.name()).bytes_assembled, image.bytes().size());
  EXPECT_EQ(c.assemble(image.name()).bytes_assembled, 0U) << "it was there already";
  EXPECT_TRUE(c.lookup(image.name()).assembled);

  const UniqueFd fd = c.get_sealed(image.name());
  require_sealed(fd.get(), image.bytes().size(), "test");
  const Mapping map = Mapping::read_only(fd.get(), image.bytes().size(), "test");
  EXPECT_TRUE(same(map.bytes(), image.bytes()));
  EXPECT_TRUE(same(copy_of(c, image), image.bytes()));

  c.forget_assembled();
  EXPECT_FALSE(c.lookup(image.name()).assembled);
  EXPECT_TRUE(same(map.bytes(), image.bytes())) << "who has it keeps it";
}

TEST_F(Cache, AsksOnlyForDistinctBlocksThatItLacks) {
  const TestImage other(30, 1);
  TestImage image = other.sharing(20, 30, 2);
  // Two of the ten blocks of its own are the same.
  Bytes bytes(image.bytes().begin(), image.bytes().end());
  std::copy_n(bytes.end() - TestImage::kBlock, TestImage::kBlock,
              bytes.end() - 2 * TestImage::kBlock);
  image = TestImage(std::move(bytes));
  OriginProcess origin({other.publication("other"), image.publication("demo")});
  const CacheProcess cache(options(origin.url()));
  Client c = client();
  c.fetch(other.name());
  const FetchReply fetch = c.fetch(image.name());
  EXPECT_EQ(fetch.blocks_fetched, 9U);
  EXPECT_EQ(fetch.bytes_fetched, 9 * TestImage::kBlock + recipe_bytes(image));
  c.assemble(image.name());
  EXPECT_TRUE(same(copy_of(c, image), image.bytes()));
}

TEST_F(Cache, SurvivesStopAndKillNineWithAllItsBlocks) {
  const TestImage image(40, 1);
  {
    OriginProcess origin({image.publication("demo")});
    CacheProcess cache(options(origin.url()));
    client().fetch(image.name());
    client().put_tag(image.name(), Bytes(48, std::byte{5}));
    cache.kill_now();
  }
  for (const bool kill : {false, true}) {
    CacheProcess cache(options());  // no origin any more
    Client c = client();
    EXPECT_EQ(c.lookup(image.name()).blocks_missing, 0U);
    c.assemble(image.name());
    EXPECT_TRUE(same(copy_of(c, image), image.bytes()));
    EXPECT_EQ(c.get_tag(image.name()), Bytes(48, std::byte{5}));
    kill ? cache.kill_now() : cache.stop();
  }
}

TEST_F(Cache, GoesOnWhereADyingFetchStopped) {
  const TestImage image(40, 1);
  OriginProcess origin({image.publication("demo")});
  {
    auto o = options(origin.url());
    o.server.service.misbehaviour.die_after_fetched_bytes = 13 * TestImage::kBlock;
    const CacheProcess cache(o);
    Client c = client();
    EXPECT_THAT(error_of([&] { c.fetch(image.name()); }), HasSubstr("connection was lost"));
  }
  const CacheProcess cache(options(origin.url()));
  Client c = client();
  EXPECT_EQ(c.lookup(image.name()).blocks_missing, 27U);
  const FetchReply fetch = c.fetch(image.name());
  EXPECT_EQ(fetch.blocks_fetched, 27U);
  EXPECT_EQ(fetch.bytes_fetched, 27 * TestImage::kBlock) << "the recipe was there";
  c.assemble(image.name());
  EXPECT_TRUE(same(copy_of(c, image), image.bytes()));
}

TEST_F(Cache, ReturnsToAnEarlierTemperatureBetweenRuns) {
  const TestImage other(10, 1), image = other.sharing(5, 10, 2);
  OriginProcess origin({other.publication("other"), image.publication("demo")});
  {
    const CacheProcess cache(options(origin.url()));
    client().fetch(other.name());
    client().put_tag(other.name(), Bytes(8, std::byte{1}));
    EXPECT_THROW(state_of(options().store), RunError) << "a cache runs on it";
  }
  const StoreState warm = state_of(options().store);
  for (int repetition = 0; repetition < 3; ++repetition) {
    {
      const CacheProcess cache(options(origin.url()));
      Client c = client();
      EXPECT_EQ(c.fetch(image.name()).blocks_fetched, 5U);
      EXPECT_EQ(c.get_tag(other.name()), Bytes(8, std::byte{1}));
      EXPECT_FALSE(c.get_tag(image.name()));
      c.put_tag(image.name(), Bytes(8, std::byte{2}));
    }
    restore_state(options().store, warm);
  }
}

TEST_F(Cache, ReportsAnOriginThatLies) {
  const TestImage image(8, 1), damaged = image.with_flipped_byte(5 * TestImage::kBlock);
  OriginProcess origin({{"demo", damaged.path(), image.recipe(), {}}});
  const CacheProcess cache(options(origin.url()));
  Client c = client();
  EXPECT_THAT(error_of([&] { c.fetch(image.name()); }), HasSubstr("block 5 of the reply is not"));
  EXPECT_EQ(client().lookup(image.name()).blocks_missing, 3U) << "the lie was not kept";
}

TEST_F(Cache, ReportsAnOriginWithAnotherRecipe) {
  const TestImage image(8, 1), other(8, 2);
  const auto wire = other.recipe().serialize();
  const std::string body(reinterpret_cast<const char*>(wire.data()), wire.size());
  for (const std::string& lie : {body, body.substr(0, body.size() - 1), std::string("no recipe")}) {
    ScriptedServer origin(
        [&](const std::string&, const ScriptedServer::Connection& peer) {
          peer.send_with_length(lie);
        },
        ScriptedServer::Start::later);
    const CacheProcess cache(options(origin.url()));
    origin.start();
    Client c = client();
    EXPECT_THAT(error_of([&] { c.fetch(image.name()); }), HasSubstr("recipe"));
    EXPECT_FALSE(client().lookup(image.name()).recipe_known);
  }
}

TEST_F(Cache, ReportsAnOriginThatStallsOrIsNotThere) {
  const TestImage image(8, 1);
  std::string url;
  {
    ScriptedServer origin(
        [](const std::string&, const ScriptedServer::Connection& peer) { peer.hold(); },
        ScriptedServer::Start::later);
    url = origin.url();
    auto o = options(url);
    o.server.service.origin_deadline = milliseconds(200);
    const CacheProcess cache(o);
    origin.start();
    EXPECT_THAT(error_of([&] { client().fetch(image.name()); }), HasSubstr("within 200 ms"));
  }
  const CacheProcess cache(options(url));
  EXPECT_THAT(error_of([&] { client().fetch(image.name()); }), HasSubstr("cannot connect"));
}

TEST_F(Cache, ReportsAFullStoreAndKeepsWhatItHas) {
  const TestImage image(40, 1);
  OriginProcess origin({image.publication("demo")});
  {
    auto o = options(origin.url());
    o.server.store.disk_limit = 10 * TestImage::kBlock;
    const CacheProcess cache(o);
    EXPECT_THAT(error_of([&] { client().fetch(image.name()); }), HasSubstr("full"));
    EXPECT_EQ(client().lookup(image.name()).blocks_missing, 31U);
    EXPECT_THAT(error_of([&] { client().assemble(image.name()); }), HasSubstr("31 blocks"));
  }
  const CacheProcess cache(options(origin.url()));
  EXPECT_EQ(client().fetch(image.name()).blocks_fetched, 31U);
}

TEST_F(Cache, DropsTheImageUsedLongestAgoWhenMemoryIsShort) {
  const TestImage a(8, 1), b(8, 2), c3(8, 3), huge(20, 4);
  OriginProcess origin(
      {a.publication("a"), b.publication("b"), c3.publication("c"), huge.publication("huge")});
  auto o = options(origin.url());
  o.server.service.max_assembled_bytes = 17 * TestImage::kBlock;
  const CacheProcess cache(o);
  Client c = client();
  for (const TestImage* image : {&a, &b, &c3, &huge}) c.fetch(image->name());
  c.assemble(a.name());
  c.assemble(b.name());
  c.get_sealed(a.name());
  c.assemble(c3.name());
  EXPECT_TRUE(c.lookup(a.name()).assembled);
  EXPECT_FALSE(c.lookup(b.name()).assembled);
  EXPECT_THAT(error_of([&] { c.assemble(huge.name()); }), HasSubstr("memory"));
}

TEST_F(Cache, ServesSeveralClientsAtOnce) {
  const TestImage image(40, 1);
  OriginProcess origin({image.publication("demo")});
  const CacheProcess cache(options(origin.url()));
  std::array<std::uint64_t, 4> blocks{}, assembled{};
  std::array<bool, 4> equal{};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      Client c = client();
      blocks[i] = c.fetch(image.name()).blocks_fetched;
      assembled[i] = c.assemble(image.name()).bytes_assembled;
      equal[i] = same(copy_of(c, image), image.bytes());
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(blocks[0] + blocks[1] + blocks[2] + blocks[3], 40U) << "each block came once";
  EXPECT_EQ(assembled[0] + assembled[1] + assembled[2] + assembled[3], image.bytes().size());
  EXPECT_THAT(equal, testing::Each(true));
}

TEST_F(Cache, IsNotHeldByAClientThatStalls) {
  auto o = options();
  o.server.io_timeout = milliseconds(300);
  const CacheProcess cache(o);
  const UniqueFd stalled = raw_connection();
  ::send(stalled.get(), "MSVC\1", 5, MSG_NOSIGNAL);
  client().lookup(zar::Digest{});  // others are served meanwhile
  char c = 0;
  EXPECT_EQ(::recv(stalled.get(), &c, 1, 0), 0) << "and the half request is given up";
}

TEST_F(Cache, SurvivesGarbageAndOversizedMessages) {
  const CacheProcess cache(options());
  std::mt19937 random(1);
  std::vector<std::string> messages{
      std::string("MSVC\1\0\1\0\xff\xff\xff\xff", 12),  // four gigabytes
      std::string("MSVC\2\0\1\0\x20\0\0\0", 12),        // another version
      std::string("MSVC\1\0\1\0\0\0\0\0", 12),          // no digest
      std::string("MSVC\1\0\x63\0\0\0\0\0", 12),        // no such request
      std::string("MSVC\1\0\7\0\3\0\0\0abc", 15),       // a tag without a whole key
      std::string("MSVC\1\0\x8\0\1\0\0\0x", 13),        // more than nothing
      std::string(100'000, 'A'),
      std::string("GET / HTTP/1.1\r\n\r\n")};
  for (int i = 0; i < 200; ++i) {
    std::string m("MSVC\1\0\1\0\0\0\0\0", 12);
    m.resize(12 + random() % 100);
    for (std::size_t at = i % 2 == 0 ? 0 : 6; at < m.size(); ++at) {
      m[at] = static_cast<char>(random());
    }
    messages.push_back(m);
  }
  for (const std::string& m : messages) {
    const UniqueFd s = raw_connection();
    ::send(s.get(), m.data(), m.size(), MSG_NOSIGNAL);
    ::shutdown(s.get(), SHUT_WR);
    std::array<char, 4096> answer{};
    while (::recv(s.get(), answer.data(), answer.size(), 0) > 0) {
    }
  }
  EXPECT_TRUE(cache.running());
  EXPECT_FALSE(client().lookup(zar::Digest{}).assembled);
}

TEST_F(Cache, BoundsItsConnections) {
  auto o = options();
  o.server.max_connections = 3;
  const CacheProcess cache(o);
  {
    std::vector<Client> clients;
    for (int i = 0; i < 3; ++i) {
      clients.push_back(client());
      clients.back().lookup(zar::Digest{});
    }
    Client one_more = client();
    // Either the refusal is read, or the request already meets a closed socket.
    error_of([&] { one_more.lookup(zar::Digest{}); });
    for (Client& c : clients) c.lookup(zar::Digest{});
  }
  bool served = false;  // a freed place is noticed by the thread that held it
  for (int i = 0; i < 200 && !served; ++i) {
    try {
      client().lookup(zar::Digest{});
      served = true;
    } catch (const RunError&) {
      ::usleep(10'000);
    }
  }
  EXPECT_TRUE(served);
}

TEST_F(Cache, KeepsTags) {
  const CacheProcess cache(options());
  Client c = client();
  zar::Digest key{};
  EXPECT_FALSE(c.get_tag(key));
  c.put_tag(key, {});
  EXPECT_EQ(c.get_tag(key), Bytes());
  c.put_tag(key, Bytes(kMaxTagBytes, std::byte{1}));
  EXPECT_EQ(client().get_tag(key), Bytes(kMaxTagBytes, std::byte{1}));
  for (int i = 0; i < 1100; ++i) {
    key.bytes[0] = static_cast<std::byte>(i);
    key.bytes[1] = static_cast<std::byte>(i >> 8);
    c.put_tag(key, Bytes(10, std::byte{2}));
  }
  EXPECT_FALSE(c.get_tag(zar::Digest{{std::byte{1}}})) << "the oldest gave way";
  EXPECT_TRUE(c.get_tag(key));
}

// What misbehaviour.h offers to the launcher's tests happens, and what is checked here is noticed.
TEST_F(Cache, MisbehavesOnRequest) {
  const TestImage image(4, 1);
  OriginProcess origin({image.publication("demo")});
  const auto with = [&](const Misbehaviour& fault, auto check) {
    auto o = options(origin.url());
    o.server.service.misbehaviour = fault;
    CacheProcess cache(o);
    Client c = client(fault.never_answer ? milliseconds(500) : milliseconds(20'000));
    check(c, cache);
  };
  const auto prepare = [&](Client& c) {
    c.fetch(image.name());
    c.assemble(image.name());
    return c.get_sealed(image.name());
  };
  const auto length = image.bytes().size();
  with({.never_answer = wire::Message::fetch}, [&](Client& c, CacheProcess& cache) {
    EXPECT_THAT(error_of([&] { c.fetch(image.name()); }), HasSubstr("within 500 ms"));
    EXPECT_TRUE(cache.running());
  });
  with({.die_at = wire::Message::assemble}, [&](Client& c, CacheProcess& cache) {
    c.fetch(image.name());
    EXPECT_THAT(error_of([&] { c.assemble(image.name()); }), HasSubstr("lost"));
    cache.stop();
    EXPECT_FALSE(cache.running());
  });
  with({.flip_bit = 8 * 70'000 + 3}, [&](Client& c, CacheProcess&) {
    const UniqueFd fd = prepare(c);
    require_sealed(fd.get(), length, "test");
    const Mapping map = Mapping::read_only(fd.get(), length, "test");
    EXPECT_EQ(map.bytes()[70'000] ^ image.bytes()[70'000], std::byte{8});
    EXPECT_TRUE(same(map.bytes().first(70'000), image.bytes().first(70'000)));
    EXPECT_TRUE(same(map.bytes().subspan(70'001), image.bytes().subspan(70'001)));
  });
  with({.unsealed = true}, [&](Client& c, CacheProcess&) {
    const UniqueFd fd = prepare(c);
    EXPECT_THAT(error_of([&] { require_sealed(fd.get(), length, "test"); }),
                HasSubstr("not sealed"));
  });
  with({.extra_length = -4096}, [&](Client& c, CacheProcess&) {
    const UniqueFd fd = prepare(c);
    EXPECT_THAT(error_of([&] { require_sealed(fd.get(), length, "test"); }), HasSubstr("instead"));
    Bytes into(length);
    EXPECT_THAT(error_of([&] { c.get_copy(image.name(), into); }), HasSubstr("instead"));
  });
  with({.garbage_tags = true},
       [&](Client& c, CacheProcess&) { EXPECT_EQ(c.get_tag(image.name())->size(), 4000U); });
}

}  // namespace
}  // namespace missive::cache
