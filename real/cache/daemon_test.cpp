// The cache as a daemon: at its limits for longer than a launch, with clients that behave and
// clients that do not.

#include <array>
#include <fstream>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/client.h"
#include "real/cache/fsck.h"
#include "real/cache/little_endian.h"
#include "real/cache/metrics.h"
#include "real/cache/server_testing.h"
#include "real/cache/wire.h"
#include "real/origin/server.h"
#include "real/origin/test_image.h"

namespace missive::cache {
namespace {

namespace fs = std::filesystem;
constexpr milliseconds kPatience{60'000};
constexpr std::uint64_t kBlock = TestImage::kBlock;

class Daemon : public testing::Test {
 protected:
  CacheProcess::Options options(const std::string& origin, std::uint64_t limit = 0) const {
    CacheProcess::Options o;
    o.socket = dir_.path() / "socket";
    o.store = dir_.path() / "store";
    o.server.max_connections = 64;
    o.server.store.disk_limit = limit;
    o.server.service.origin_url = origin;
    o.server.service.eviction = &kEvictLru;
    o.server.service.check_blocks = true;
    o.server.service.sync = true;
    return o;
  }
  Client client() const { return Client::connect(dir_.path() / "socket", kPatience); }
  std::uint64_t metric(const std::string& name) const {
    for (const Metric& m : decode_metrics(client().stat(), "test"))
      if (m.name == name) return m.value;
    ADD_FAILURE() << "no metric " << name;
    return 0;
  }
  static void launch(Client& c, const TestImage& image) {
    c.fetch(image.name());
    c.assemble(image.name());
    Bytes bytes(image.bytes().size());
    c.get_copy(image.name(), bytes);
    ASSERT_TRUE(std::ranges::equal(bytes, image.bytes()));
  }
  std::uint64_t store_size() const {
    return fs::file_size(dir_.path() / "store/blocks") +
           fs::file_size(dir_.path() / "store/blocks.index");
  }
  // Images, two by two with the same first half.
  static std::vector<TestImage> images(std::size_t count, std::size_t blocks) {
    std::vector<TestImage> all;
    for (std::size_t i = 0; i < count; i += 2) {
      all.emplace_back(blocks, i + 1);
      all.push_back(all.back().sharing(blocks / 2, blocks, i + 2));
    }
    return all;
  }
  static std::vector<origin::Publication> publications(const std::vector<TestImage>& images) {
    std::vector<origin::Publication> all;
    for (std::size_t i = 0; i < images.size(); ++i)
      all.push_back(images[i].publication("app" + std::to_string(i)));
    return all;
  }

  origin::TemporaryDirectory dir_;
};

TEST_F(Daemon, CountsWhatItDoes) {
  const auto all = images(2, 8);
  OriginProcess origin(publications(all));
  const CacheProcess cache(options(origin.url()));
  Client c = client();
  launch(c, all[0]);
  launch(c, all[1]);
  launch(c, all[0]);
  EXPECT_EQ(metric("image_hits_total"), 1U);
  EXPECT_EQ(metric("image_misses_total"), 2U);
  EXPECT_EQ(metric("block_misses_total"), 12U);
  EXPECT_EQ(metric("block_hits_total"), 4U + 8U);
  EXPECT_EQ(metric("store_blocks"), 12U);
  EXPECT_EQ(metric("store_images"), 2U);
  EXPECT_EQ(metric("store_bytes"), store_size());
  EXPECT_EQ(metric("memory_bytes"), 16 * kBlock);
  EXPECT_EQ(metric("evictions_total"), 0U);
  EXPECT_EQ(metric("errors_total"), 0U);
  EXPECT_THAT(error_of([&] { client().assemble(zar::Digest{}); }), HasSubstr("fetch first"));
  EXPECT_EQ(metric("errors_total"), 1U);
  EXPECT_EQ(metric_kinds().size(), decode_metrics(client().stat(), "test").size());
}

TEST(Metrics, FromAnUntrustedCacheAreChecked) {
  const auto decode = [](const std::string& text) {
    return decode_metrics(std::as_bytes(std::span(text)), "test");
  };
  EXPECT_EQ(decode("a_b 7\n").at(0).value, 7U);
  for (const std::string bad : {"a 1", "a\n", "a b\n", "a 1 2\n", " 1\n", "A 1\n", "a -1\n",
                                "a 1x\n", "a 99999999999999999999\n", "\x1b[2J 1\n", "\n"})
    EXPECT_THROW(decode(bad), RunError) << bad;
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a 1\n";
  EXPECT_THROW(decode(many), RunError);
}

// Four times as much as fits, by several clients at once: it stays in its limit, and nothing but
// the right bytes comes out.
TEST_F(Daemon, StaysInItsLimitsWhileManyClientsWantMore) {
  const auto all = images(16, 8);
  OriginProcess origin(publications(all));
  const std::uint64_t limit = 32 * kBlock;
  for (const EvictionPolicy* policy : eviction_policies()) {
    SCOPED_TRACE(policy->name);
    auto o = options(origin.url(), limit);
    o.server.service.eviction = policy;
    o.server.service.max_assembled_bytes = 24 * kBlock;
    {
      const CacheProcess cache(o);
      std::vector<std::thread> clients;
      std::atomic<int> launched = 0, again = 0, wrong = 0;
      for (std::uint64_t t = 0; t < 6; ++t) {
        clients.emplace_back([&, t] {
          std::mt19937_64 random(t);
          while (launched < 120) {
            const TestImage& image = all[random() % all.size()];
            try {
              Client c = client();
              c.fetch(image.name());
              c.assemble(image.name());
              Bytes bytes(image.bytes().size());
              c.get_copy(image.name(), bytes);
              if (!std::ranges::equal(bytes, image.bytes())) ++wrong;
              ++launched;
            } catch (const RunError& e) {
              // Between two requests, what it wanted gave way to what others wanted.
              if (std::string(e.what()).find("first") == std::string::npos &&
                  std::string(e.what()).find("ask for that") == std::string::npos)
                ADD_FAILURE() << e.what();
              ++again;
            }
          }
        });
      }
      while (launched < 120) {
        ASSERT_LE(store_size(), limit + limit / 16);
        ::usleep(1000);
      }
      for (std::thread& t : clients) t.join();
      EXPECT_EQ(wrong, 0);
      EXPECT_LE(again, launched) << "most launches are undisturbed";
      EXPECT_GT(metric("evictions_total"), 0U);
      EXPECT_LE(metric("memory_bytes"), 24 * kBlock);
      EXPECT_LE(metric("store_bytes"), limit);
    }
    EXPECT_THAT(check_store(dir_.path() / "store", true).damage, testing::IsEmpty());
  }
}

TEST_F(Daemon, AnImageThatCannotFitDisturbsNothing) {
  const TestImage small(4, 1), large(40, 2);
  OriginProcess origin({small.publication("small"), large.publication("large")});
  const CacheProcess cache(options(origin.url(), 10 * kBlock));
  Client c = client();
  launch(c, small);
  EXPECT_THAT(error_of([&] { client().fetch(large.name()); }), HasSubstr("may hold"));
  EXPECT_EQ(client().lookup(small.name()).blocks_missing, 0U);
  EXPECT_EQ(metric("evictions_total"), 0U);
}

TEST_F(Daemon, ADamagedDiskIsNoticedAndRepairedFromTheOrigin) {
  const TestImage image(6, 1);
  OriginProcess origin({image.publication("demo")});
  const CacheProcess cache(options(origin.url()));
  Client c = client();
  launch(c, image);
  c.forget_assembled();
  {
    std::fstream f(dir_.path() / "store/blocks", std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(-1, std::ios::end);
    f.put('!');
  }
  EXPECT_THAT(error_of([&] { client().assemble(image.name()); }), HasSubstr("damaged on the disk"));
  EXPECT_EQ(c.lookup(image.name()).blocks_missing, 1U) << "it is not kept";
  EXPECT_EQ(metric("damaged_contents_total"), 1U);
  launch(c, image);
}

TEST_F(Daemon, GoesOnAfterItsDescriptorsWereExhausted) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own look at an object needs descriptors, for a pipe";
#endif
  const TestImage image(4, 1);
  OriginProcess origin({image.publication("demo")});
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{32, before.rlim_max};
  auto o = options(origin.url());
  o.server.max_connections = 1000;  // more than it has descriptors for
  ::setrlimit(RLIMIT_NOFILE, &few);
  const CacheProcess cache(o);
  ::setrlimit(RLIMIT_NOFILE, &before);
  Client early = client();
  launch(early, image);
  {
    std::vector<UniqueFd> crowd;
    for (int i = 0; i < 60; ++i) crowd.push_back(connect_to(o.socket, kPatience));
    EXPECT_EQ(early.lookup(image.name()).assembled, true) << "who is in is served";
    early.forget_assembled();
    // It has no descriptor left for a memory file, and says so; or the crowd is still outside.
    try {
      early.assemble(image.name());
    } catch (const RunError& e) {
      EXPECT_THAT(e.what(), HasSubstr("cannot get memory"));
    }
  }
  Client late = client();
  launch(late, image);
}

TEST_F(Daemon, AClientThatTakesItsTimeHoldsNobodyUp) {
  const TestImage image(64, 1);  // more than a socket's queue takes
  OriginProcess origin({image.publication("demo")});
  auto o = options(origin.url());
  o.server.io_timeout = milliseconds(2'000);
  const CacheProcess cache(o);
  Client c = client();
  launch(c, image);
  std::vector<UniqueFd> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(connect_to(o.socket, kPatience));
    wire::send_message(slow.back().get(), wire::Message::get_copy, image.name().bytes, -1,
                       wire::Deadline(kPatience), "test");  // and does not read the answer
  }
  for (int i = 0; i < 5; ++i) launch(c, image);
  // Each is given up: its stream ends before the image does.
  for (const UniqueFd& fd : slow) {
    std::uint64_t got = 0;
    std::array<std::byte, 65536> piece{};
    ::usleep(1000);
    bool ended = false;
    while (!ended) {
      const ssize_t n = ::recv(fd.get(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (n > 0 && got == 0) {
        // Waits, without reading on, until the cache has hung up.
        pollfd p{fd.get(), POLLRDHUP, 0};
        ASSERT_EQ(::poll(&p, 1, 60'000), 1);
      }
      if (n > 0) got += static_cast<std::uint64_t>(n);
      ended = n <= 0;
    }
    EXPECT_LT(got, image.bytes().size());
  }
}

TEST_F(Daemon, GoesOnAfterItsDiskWasFull) {
  const auto all = images(8, 8);
  OriginProcess origin(publications(all));
  const fs::path disk = dir_.path() / "store";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "needs CAP_SYS_ADMIN to mount a small tmpfs: " << std::strerror(errno);
  }
  const std::unique_ptr<const fs::path, void (*)(const fs::path*)> unmount(
      &disk, [](const fs::path* p) { ::umount2(p->c_str(), MNT_DETACH); });
  {
    auto o = options(origin.url());
    o.server.service.eviction = nullptr;
    const CacheProcess cache(o);
    std::string why;
    for (const TestImage& image : all) {
      try {
        client().fetch(image.name());
      } catch (const RunError& e) {
        why = e.what();
      }
    }
    EXPECT_THAT(why, HasSubstr("the disk is full"));
    Client c = client();
    launch(c, all[0]);  // what it has, it serves
    try {
      c.put_tag(all[0].name(), Bytes(48, std::byte{1}));
    } catch (const RunError& e) {
      EXPECT_THAT(e.what(), HasSubstr("the disk is full"));
    }
  }
  EXPECT_THAT(check_store(disk, true).damage, testing::IsEmpty());
  const CacheProcess cache(options(origin.url()));  // without limit, but with a policy
  Client c = client();
  for (int round = 0; round < 2; ++round)
    for (const TestImage& image : all) launch(c, image);
  EXPECT_GT(metric("evictions_total"), 0U) << "a full disk makes room like a limit does";
}

}  // namespace
}  // namespace missive::cache
