// Several fetches at once: what waits for what, and what does not.

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "real/cache/gated_origin.h"
#include "real/cache/metrics.h"
#include "real/cache/server_testing.h"

namespace missive::cache {
namespace {

constexpr std::uint64_t kBlock = TestImage::kBlock;
// Longer than any test waits for what must not wait.
constexpr milliseconds kForever{3'600'000};

class Fetches : public Cache {
 protected:
  CacheProcess::Options options(const std::string& origin) const {
    auto o = Cache::options(origin);
    o.server.service.origin_deadline = kForever;
    o.server.max_connections = 64;
    return o;
  }
  // With nothing in common.
  static std::vector<TestImage> images(std::size_t count, std::size_t blocks = 4) {
    std::vector<TestImage> all;
    for (std::size_t i = 0; i < count; ++i) all.emplace_back(blocks, i + 1);
    return all;
  }
  std::uint64_t metric(const std::string& name) const {
    for (const Metric& m : decode_metrics(client().stat(), "test"))
      if (m.name == name) return m.value;
    ADD_FAILURE() << "no metric " << name;
    return 0;
  }
  void await_metric(const std::string& name, std::uint64_t value) const {
    for (int i = 0; i < 2'000; ++i) {
      if (metric(name) == value) return;
      ::usleep(10'000);
    }
    ADD_FAILURE() << name << " is " << metric(name) << ", never " << value;
  }
  // A client of its own that fetches the image. What it got is known once it has joined.
  struct Fetching {
    Fetching(const Fetches& test, const TestImage& image)
        : thread([this, &test, &image] {
            try {
              reply = test.client(kForever).fetch(image.name());
            } catch (const RunError& e) {
              error = e.what();
            }
          }) {}
    void join() { thread.join(); }
    FetchReply reply;
    std::string error;
    std::thread thread;  // last: it uses the two above
  };
  // All of it comes out of the cache, bit for bit.
  void expect_served(const TestImage& image) const {
    Client c = client();
    c.assemble(image.name());
    EXPECT_TRUE(same(copy_of(c, image), image.bytes()));
  }
};

TEST_F(Fetches, OneThatStallsHoldsUpNoOther) {
  const auto all = images(2);
  GatedOrigin origin(all);
  const CacheProcess cache(options(origin.url()));
  origin.start();
  origin.hold(all[0]);
  Fetching stalled(*this, all[0]);
  origin.await_requests(all[0], 1);
  EXPECT_NO_THROW({
    EXPECT_EQ(client().fetch(all[1].name()).blocks_fetched, 4U);
    expect_served(all[1]);
  });
  origin.let_go(all[0]);
  stalled.join();
  EXPECT_EQ(stalled.reply.blocks_fetched, 4U);
}

TEST_F(Fetches, AllWhoAskForAnImageShareOne) {
  const auto all = images(1);
  GatedOrigin origin(all);
  const CacheProcess cache(options(origin.url()));
  origin.start();
  origin.hold(all[0]);
  std::list<Fetching> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(*this, all[0]);
  await_metric("fetches_sharing", 4);
  EXPECT_EQ(metric("fetches_in_flight"), 1U);
  EXPECT_EQ(origin.requests(all[0]), 1);
  origin.let_go(all[0]);
  FetchReply sum;
  for (Fetching& c : clients) {
    c.join();
    EXPECT_EQ(c.error, "");
    sum.blocks_fetched += c.reply.blocks_fetched;
    sum.requests += c.reply.requests;
  }
  EXPECT_EQ(sum.blocks_fetched, 4U) << "each block came once, and is reported once";
  EXPECT_EQ(sum.requests, 2U);
  EXPECT_EQ(origin.requests(all[0]), 2) << "the recipe, and the blocks";
  EXPECT_EQ(metric("fetches_shared_total"), 4U);
  EXPECT_EQ(metric("image_misses_total"), 1U);
  expect_served(all[0]);
}

TEST_F(Fetches, AreBoundedAndWhatIsThereWaitsForNone) {
  const auto all = images(4);
  GatedOrigin origin(all);
  auto o = options(origin.url());
  o.server.service.max_fetches = 2;
  const CacheProcess cache(o);
  origin.start();
  client().fetch(all[3].name());
  origin.hold(all[0]);
  origin.hold(all[1]);
  Fetching first(*this, all[0]), second(*this, all[1]);
  origin.await_requests(all[0], 1);
  origin.await_requests(all[1], 1);
  Fetching third(*this, all[2]);
  await_metric("fetches_waiting", 1);
  EXPECT_EQ(metric("fetches_in_flight"), 2U);
  EXPECT_EQ(origin.requests(all[2]), 0);
  EXPECT_NO_THROW({
    EXPECT_EQ(client().fetch(all[3].name()).requests, 0U);
    expect_served(all[3]);
  });
  origin.let_go(all[0]);
  third.join();  // although the second still stalls
  EXPECT_EQ(third.reply.blocks_fetched, 4U);
  origin.let_go(all[1]);
  first.join();
  second.join();
  EXPECT_EQ(second.reply.blocks_fetched, 4U);
  EXPECT_EQ(metric("fetches_in_flight"), 0U);
}

TEST_F(Fetches, AClientThatLeavesEndsNothing) {
  const auto all = images(1);
  GatedOrigin origin(all);
  const CacheProcess cache(options(origin.url()));
  origin.start();
  origin.hold(all[0], 1);  // the recipe comes, the blocks do not
  {
    // Whoever began it gives up.
    Client c = client(milliseconds(500));
    EXPECT_THAT(error_of([&] { c.fetch(all[0].name()); }), HasSubstr("within 500 ms"));
  }
  Fetching stays(*this, all[0]);
  await_metric("fetches_sharing", 1);
  origin.let_go(all[0]);
  stays.join();
  EXPECT_EQ(stays.error, "");
  EXPECT_EQ(stays.reply.requests, 0U) << "the other one's went on";
  EXPECT_EQ(origin.requests(all[0]), 2);
  expect_served(all[0]);
}

TEST_F(Fetches, AFailureIsSharedAndTheNextOneBeginsAnew) {
  const auto all = images(1);
  GatedOrigin origin(all);
  const CacheProcess cache(options(origin.url()));
  origin.start();
  origin.hold(all[0]);
  origin.refuse(all[0]);
  std::list<Fetching> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(*this, all[0]);
  await_metric("fetches_sharing", 2);
  origin.let_go(all[0]);
  for (Fetching& c : clients) {
    c.join();
    EXPECT_THAT(c.error, HasSubstr("status 500"));
  }
  EXPECT_EQ(origin.requests(all[0]), 1) << "no client tries it again by itself";
  EXPECT_EQ(metric("fetches_failed_total"), 1U);
  EXPECT_EQ(metric("origin_requests_total"), 1U);
  origin.refuse_no_more();
  EXPECT_EQ(client().fetch(all[0].name()).blocks_fetched, 4U);
}

TEST_F(Fetches, LeaveOutWhatAnotherOneBroughtMeanwhile) {
  const TestImage base(6, 1);
  std::vector<TestImage> all;
  all.push_back(base.sharing(4, 6, 2));
  all.push_back(base.sharing(4, 6, 3));
  GatedOrigin origin(all);
  auto o = options(origin.url());
  o.server.service.batch = 2;
  const CacheProcess cache(o);
  origin.start();
  origin.hold(all[0], 1);  // it asks for its first two blocks
  Fetching stalled(*this, all[0]);
  origin.await_requests(all[0], 2);
  EXPECT_EQ(client().fetch(all[1].name()).blocks_fetched, 6U) << "waits for no block of another";
  origin.let_go(all[0]);
  stalled.join();
  EXPECT_EQ(stalled.reply.blocks_fetched, 4U) << "the first two again, and two of its own";
  expect_served(all[0]);
  expect_served(all[1]);
}

// Three of them fit into the store, but pinned side by side two leave no room for a third.
TEST_F(Fetches, ThatDoNotFitSideBySideWaitInsteadOfFailing) {
  const auto all = images(6, 10);
  GatedOrigin origin(all);
  auto o = options(origin.url());
  o.server.store.disk_limit = 25 * kBlock;
  o.server.service.eviction = &kEvictLru;
  const CacheProcess cache(o);
  origin.start();
  origin.hold(all[0], 1);
  Fetching stalled(*this, all[0]);
  origin.await_requests(all[0], 2);
  std::list<Fetching> others;
  for (std::size_t i = 1; i < all.size(); ++i) others.emplace_back(*this, all[i]);
  await_metric("fetches_waiting", 5);
  EXPECT_EQ(metric("fetches_in_flight"), 1U);
  origin.let_go(all[0]);
  stalled.join();
  EXPECT_EQ(stalled.error, "");
  for (Fetching& f : others) {
    f.join();
    EXPECT_EQ(f.error, "");
  }
  EXPECT_LE(metric("store_bytes"), 25 * kBlock);
}

// Without being killed for it: the process's own end, not that of whoever lost patience.
TEST_F(Fetches, EndAtOnceWhenTheCacheIsStopped) {
  const auto all = images(4);
  GatedOrigin origin(all);
  auto o = options(origin.url());
  o.server.service.max_fetches = 2;
  // In this process, to see that run() returns; its deadlines are an hour.
  const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  Server server(listen_at(o.socket), open_store_directory(o.store), "test", o.server);
  std::thread running([&] { server.run(stop.get()); });
  origin.start();
  origin.hold(all[0]);
  origin.hold(all[1], 1);
  std::list<Fetching> clients;
  clients.emplace_back(*this, all[0]);
  clients.emplace_back(*this, all[1]);
  origin.await_requests(all[0], 1);
  origin.await_requests(all[1], 2);
  clients.emplace_back(*this, all[0]);
  clients.emplace_back(*this, all[2]);
  await_metric("fetches_sharing", 1);
  await_metric("fetches_waiting", 1);
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(stop.get(), &one, sizeof one), 8);
  running.join();
  for (Fetching& f : clients) {
    f.join();
    EXPECT_NE(f.error, "");
  }
}

// What an earlier cache left may not be on the disk: it was killed before it could say so.
TEST_F(Fetches, AreAnsweredOnceAllIsOnTheDiskAlsoWhenAllWasThere) {
  const auto all = images(1);
  auto o = options("http://127.0.0.1:9");
  o.server.service.sync = true;
  {
    Store store(o.store, {});
    store.put_recipe(all[0].name(), all[0].recipe().serialize());
    for (std::size_t i = 0; i < 4; ++i) store.put(all[0].recipe().leaves[i], all[0].block(i));
  }
  const CacheProcess cache(o);
  EXPECT_EQ(metric("store_unsynced"), 1U);
  EXPECT_EQ(client().fetch(all[0].name()).requests, 0U);
  EXPECT_EQ(metric("store_unsynced"), 0U);
}

// A policy that holds a pass of eviction up, once.
struct HeldPass {
  std::mutex mutex;
  std::condition_variable changed;
  bool armed = false, reached = false, go_on = false;
};
HeldPass& held_pass() {
  static HeldPass pass;
  return pass;
}
const EvictionPolicy kHeldLru = {"held", "lru, held up once", [](const ContentUse& use) {
                                   HeldPass& pass = held_pass();
                                   std::unique_lock lock(pass.mutex);
                                   if (pass.armed && !pass.go_on) {
                                     pass.reached = true;
                                     pass.changed.notify_all();
                                     pass.changed.wait(lock, [&] { return pass.go_on; });
                                   }
                                   return kEvictLru.worth(use);
                                 }};

// An image whose recipe comes while room is being made is unknown to that pass. Which of its blocks
// are there may be asked only afterwards: the pass may drop them.
TEST_F(Fetches, AnImageThatComesDuringAPassOfEvictionIsWholeInTheEnd) {
  std::vector<TestImage> all;
  all.emplace_back(16, 1);  // is there, and its last blocks give way
  all.emplace_back(4, 2);   // needs room
  Bytes bytes(all[0].bytes().end() - 4 * kBlock, all[0].bytes().end());
  bytes.resize(5 * kBlock, std::byte{1});
  all.emplace_back(std::move(bytes));  // wants what gives way
  GatedOrigin origin(all);
  auto o = options(origin.url());
  Store store(o.store, {.disk_limit = 19 * kBlock});
  o.server.service.eviction = &kHeldLru;
  Service service(store, o.server.service);
  origin.start();
  service.fetch(all[0].name());
  service.assemble(all[0].name());  // what was fetched and not assembled would not give way
  origin.hold(all[2]);
  FetchReply reply;
  std::thread comes([&] { reply = service.fetch(all[2].name()); });
  origin.await_requests(all[2], 1);
  held_pass().armed = true;
  std::thread needs_room([&] { service.fetch(all[1].name()); });
  {
    std::unique_lock lock(held_pass().mutex);
    held_pass().changed.wait(lock, [] { return held_pass().reached; });
  }
  origin.let_go(all[2]);
  ::usleep(100'000);  // time enough to ask too early
  {
    const std::lock_guard lock(held_pass().mutex);
    held_pass().go_on = true;
    held_pass().changed.notify_all();
  }
  needs_room.join();
  comes.join();
  EXPECT_EQ(service.lookup(all[2].name()).blocks_missing, 0U);
  EXPECT_GT(reply.blocks_fetched, 1U) << "the pass dropped nothing: nothing was tested";
}

}  // namespace
}  // namespace missive::cache
