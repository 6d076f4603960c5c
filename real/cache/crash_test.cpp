// kill -9 in a loop. Each round starts a cache on the store that the round before left behind, lets
// several clients fetch, assemble, read and put tags, and kills the cache at a random moment. Then
// the store at rest is checked, and the next cache must have all that was acknowledged, bit for
// bit.
//
// MISSIVE_CRASH_ROUNDS (default 24) and MISSIVE_CRASH_SEED (default 1) choose more rounds; the
// moments of the kills depend on the machine too. docs/cache-daemon.md has the figures of long
// runs.

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/client.h"
#include "real/cache/fsck.h"
#include "real/cache/server.h"
#include "real/origin/server.h"
#include "real/origin/test_image.h"

namespace missive::cache {
namespace {

namespace fs = std::filesystem;
using origin::OriginProcess;
using origin::TestImage;
using Bytes = std::vector<std::byte>;

constexpr std::size_t kImages = 24, kBlocks = 12, kClients = 4;
constexpr std::uint64_t kLimit = 60 * TestImage::kBlock;  // of the rounds that evict

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// What the caches of all rounds so far said that they had done.
struct Acknowledged {
  std::mutex mutex;
  std::set<std::size_t> fetched;            // images
  std::map<std::size_t, std::uint8_t> put;  // image, value of its tag
  std::map<std::size_t, std::uint8_t> in_flight;
};

struct Tally {
  std::uint64_t rounds = 0, torn_ends = 0, fetches = 0, copies = 0, tags = 0, checked_images = 0,
                checked_tags = 0, evicting_rounds = 0, stores = 0;
};

class Crash : public testing::Test {
 protected:
  Crash() {
    for (std::size_t i = 0; i < kImages; ++i)
      images_.push_back(i % 3 == 0 ? TestImage(kBlocks, i)
                                   : images_[i - i % 3].sharing(kBlocks / 2, kBlocks, i));
    std::vector<origin::Publication> all;
    for (std::size_t i = 0; i < kImages; ++i)
      all.push_back(images_[i].publication("app" + std::to_string(i)));
    origin_ = std::make_unique<OriginProcess>(all);
  }

  fs::path store() const { return dir_.path() / "store"; }
  std::unique_ptr<CacheProcess> start(std::uint64_t round, bool evicting) const {
    CacheProcess::Options o;
    o.socket = dir_.path() / "socket";
    o.store = store();
    o.server.service.origin_url = origin_->url();
    o.server.service.batch = 3;
    o.server.service.max_assembled_bytes = 6 * kBlocks * TestImage::kBlock;
    o.server.service.sync = round % 2 == 0;
    // Whether a corrupt block comes out is for the clients to see: the cache does not look.
    o.server.service.check_blocks = false;
    if (evicting) {
      o.server.store.disk_limit = kLimit;
      o.server.service.eviction = eviction_policies()[round % eviction_policies().size()];
    }
    return std::make_unique<CacheProcess>(o);
  }
  Client connect() const {
    return Client::connect(dir_.path() / "socket", std::chrono::milliseconds(60'000));
  }

  // One client's work, until the cache is gone.
  void work(std::uint64_t seed, bool evicting);
  void work_once(Client& client, std::mt19937_64& random, bool evicting);
  void expect_acknowledged();
  void start_over();

  std::vector<TestImage> images_;
  std::unique_ptr<OriginProcess> origin_;
  origin::TemporaryDirectory dir_;
  Acknowledged known_;
  Tally tally_;
};

void Crash::work_once(Client& client, std::mt19937_64& random, bool evicting) {
  const std::size_t i = random() % kImages;
  const TestImage& image = images_[i];
  client.fetch(image.name());
  {
    const std::lock_guard lock(known_.mutex);
    if (!evicting) known_.fetched.insert(i);
    tally_.fetches += 1;
  }
  client.assemble(image.name());
  Bytes bytes(image.bytes().size());
  client.get_copy(image.name(), bytes);
  ASSERT_TRUE(std::ranges::equal(bytes, image.bytes())) << "a corrupt image was served";
  const auto value = static_cast<std::uint8_t>(random());
  {
    const std::lock_guard lock(known_.mutex);
    if (known_.in_flight.contains(i)) return;  // another client puts it
    known_.in_flight[i] = value;
  }
  client.put_tag(image.name(), Bytes(100, std::byte{value}));
  const std::lock_guard lock(known_.mutex);
  known_.put[i] = value;
  known_.in_flight.erase(i);
  tally_.copies += 1;
  tally_.tags += 1;
}

void Crash::work(std::uint64_t seed, bool evicting) {
  std::mt19937_64 random(seed);
  for (;;) {
    try {
      Client client = connect();
      for (;;) work_once(client, random, evicting);
    } catch (const RunError& e) {
      const std::string why = e.what();
      // Evicted meanwhile: asks again. Everything else is the end of the cache.
      if (why.find("first") == std::string::npos && why.find("ask for") == std::string::npos)
        return;
    }
  }
}

void Crash::expect_acknowledged() {
  Client client = connect();
  for (const std::size_t i : known_.fetched) {
    const TestImage& image = images_[i];
    const LookupReply reply = client.lookup(image.name());
    ASSERT_TRUE(reply.recipe_known) << "image " << i;
    ASSERT_EQ(reply.blocks_missing, 0U) << "image " << i << ": acknowledged blocks were lost";
    client.assemble(image.name());
    Bytes bytes(image.bytes().size());
    client.get_copy(image.name(), bytes);
    ASSERT_TRUE(std::ranges::equal(bytes, image.bytes())) << "a corrupt image was served";
    tally_.checked_images += 1;
  }
  for (auto& [i, value] : known_.put) {
    const auto tag = client.get_tag(images_[i].name());
    ASSERT_TRUE(tag) << "the tag of image " << i << " was lost";
    const auto in_flight = known_.in_flight.find(i);
    const bool newer =
        in_flight != known_.in_flight.end() && *tag == Bytes(100, std::byte{in_flight->second});
    ASSERT_TRUE(newer || *tag == Bytes(100, std::byte{value})) << "another tag was served";
    if (newer) value = in_flight->second;
    tally_.checked_tags += 1;
  }
  known_.in_flight.clear();
}

void Crash::start_over() {
  fs::remove_all(store());
  known_.fetched.clear();
  known_.put.clear();
  known_.in_flight.clear();
  tally_.stores += 1;
}

TEST_F(Crash, KillNineAtRandomMomentsLosesNothing) {
  const std::uint64_t rounds = from_environment("MISSIVE_CRASH_ROUNDS", 24);
  const std::uint64_t seed = from_environment("MISSIVE_CRASH_SEED", 1);
  std::mt19937_64 random(seed);
  // Every other stretch of rounds evicts all the time; acknowledged blocks may leave there, so what
  // must not happen is that wrong ones come out.
  constexpr std::uint64_t kStretch = 6;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const bool evicting = round / kStretch % 2 == 1;
    if (round % kStretch == 0) start_over();
    auto cache = start(round, evicting);
    expect_acknowledged();
    if (HasFatalFailure()) return;
    std::vector<std::thread> clients;
    for (std::size_t c = 0; c < kClients; ++c)
      clients.emplace_back([this, s = random(), evicting] { work(s, evicting); });
    // From before the first fetch to long after the store is full of what it may hold.
    const std::uint64_t moment = random() % 60'000;
    ::usleep(static_cast<useconds_t>(round % 3 == 0 ? moment / 10 : moment));
    cache->kill_now();
    for (std::thread& c : clients) c.join();
    cache.reset();
    if (HasFatalFailure()) return;
    // A torn end is what a kill may leave; a content that is not what its name says it may not.
    const StoreReport report = check_store(store(), true);
    ASSERT_THAT(report.bad, testing::IsEmpty()) << report.damage.front();
    if (evicting) {
      ASSERT_LE(report.data_bytes + report.index_bytes, kLimit + kLimit / 16);
    }
    tally_.rounds += 1;
    tally_.evicting_rounds += evicting ? 1 : 0;
    tally_.torn_ends += report.damage.empty() ? 0 : 1;
  }
  {
    const auto cache = start(0, false);
    expect_acknowledged();
  }
  EXPECT_THAT(check_store(store(), true).damage, testing::IsEmpty())
      << "opening a store cuts off torn ends";
  std::printf(
      "seed %lu: %lu rounds (%lu evicting) over %lu stores; acknowledged: %lu fetches, %lu "
      "tags; served: %lu copies; checked after kills: %lu images, %lu tags; torn ends: %lu\n",
      seed, tally_.rounds, tally_.evicting_rounds, tally_.stores, tally_.fetches, tally_.tags,
      tally_.copies, tally_.checked_images, tally_.checked_tags, tally_.torn_ends);
  EXPECT_GT(tally_.checked_images, 0U) << "nothing was acknowledged: the loop tested nothing";
}

}  // namespace
}  // namespace missive::cache
