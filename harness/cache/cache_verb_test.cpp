// The daemon as one runs it: the program itself, from outside.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/cli.h"
#include "harness/json_source.h"
#include "real/cache/client.h"
#include "real/cache/store.h"
#include "real/origin/server.h"
#include "real/origin/test_image.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;
using origin::TestImage;
using testing::HasSubstr;

struct Outcome {
  int status = 0;
  std::string out, err;
};
Outcome cli(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"missive-sim", "cache"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  const int status = cli_main(static_cast<int>(argv.size()), argv.data(), out, err);
  return {status, out.str(), err.str()};
}

class CacheVerb : public testing::Test {
 protected:
  std::string store() const { return dir_.path() / "store"; }
  std::string socket() const { return dir_.path() / "store/socket"; }

  // `cache serve`, once it says that it serves.
  pid_t serve(std::vector<std::string> words) const {
    int pipe[2];
    EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const UniqueFd from(pipe[0]);
    UniqueFd to(pipe[1]);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(to.get(), 1);
      const std::string path = fs::read_symlink("/proc/self/exe").parent_path() / "missive-sim";
      words.insert(words.begin(), {path, "cache", "serve", "--store", store()});
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execv(path.c_str(), arguments.data());
      ::_exit(127);
    }
    to.reset();
    std::string said(200, '\0');
    const ssize_t n = ::read(from.get(), said.data(), said.size());
    said.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    EXPECT_THAT(said, HasSubstr("serving " + store()));
    return pid;
  }
  static int end(pid_t pid, int signal) {
    ::kill(pid, signal);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void fetch(const TestImage& image) const {
    cache::Client::connect(socket(), std::chrono::seconds(60)).fetch(image.name());
  }
  // Once the kernel has ended the cache of a killed program, and the store is free again.
  Outcome fsck_when_free(const std::vector<std::string>& words = {}) const {
    std::vector<std::string> all{"fsck", "--store", store()};
    all.insert(all.end(), words.begin(), words.end());
    Outcome o = cli(all);
    while (o.err.find("in use") != std::string::npos) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      o = cli(all);
    }
    return o;
  }

  origin::TemporaryDirectory dir_;
};

TEST_F(CacheVerb, ServesCountsSurvivesAKillAndIsCheckedAndCleared) {
  const TestImage one(6, 1), two = one.sharing(3, 6, 2);
  origin::OriginProcess origin({one.publication("one"), two.publication("two")});
  pid_t daemon = serve({"--origin", origin.url(), "--fetches", "2"});
  fetch(one);
  fetch(two);
  Outcome o = cli({"stat", "--socket", socket(), "--json"});
  EXPECT_EQ(o.status, 0) << o.err;
  Json stat = Json::parse(o.out);
  EXPECT_EQ(stat["running"], true);
  EXPECT_EQ(stat["store_blocks"], 9);
  EXPECT_EQ(stat["image_misses_total"], 2);
  EXPECT_THAT(cli({"stat", "--socket", socket()}).out, HasSubstr("block_hits_total"));
  EXPECT_THAT(cli({"stat", "--socket", socket(), "--format", "prometheus"}).out,
              HasSubstr("# TYPE missive_cache_store_blocks gauge\nmissive_cache_store_blocks 9\n"));
  o = cli({"fsck", "--store", store()});
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, HasSubstr("in use by another process; stop it first"));

  EXPECT_EQ(end(daemon, SIGKILL), 128 + SIGKILL);
  o = fsck_when_free();
  EXPECT_EQ(o.status, 0) << o.err << o.out;
  EXPECT_THAT(o.out, HasSubstr("2 images whole"));
  EXPECT_THAT(o.out, HasSubstr("clean\n"));

  daemon = serve({});  // no origin any more
  EXPECT_EQ(
      cache::Client::connect(socket(), std::chrono::seconds(60)).lookup(two.name()).blocks_missing,
      0U);
  EXPECT_EQ(end(daemon, SIGTERM), 0);
  EXPECT_FALSE(fs::exists(socket()));

  o = cli({"gc", "--store", store(), "--limit", "300KiB", "--json"});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_LE(Json::parse(o.out)["bytes_after"], 300 * 1024);
  stat = Json::parse(cli({"stat", "--store", store(), "--json"}).out);
  EXPECT_EQ(stat["running"], false);
  EXPECT_EQ(stat["store_blocks"], 4);
}

TEST_F(CacheVerb, EvictsAtItsLimit) {
  const TestImage one(6, 1), two(6, 2);
  origin::OriginProcess origin({one.publication("one"), two.publication("two")});
  const pid_t daemon = serve({"--origin", origin.url(), "--limit", "500KiB", "--policy", "gdsf"});
  fetch(one);
  fetch(two);
  const Json stat = Json::parse(cli({"stat", "--socket", socket(), "--json"}).out);
  EXPECT_GT(stat["evictions_total"], 0);
  EXPECT_LE(stat["store_bytes"], 500 * 1024);
  EXPECT_EQ(end(daemon, SIGINT), 0);
}

TEST_F(CacheVerb, FsckNamesDamageAndRepairsIt) {
  const TestImage image(3, 1);
  {
    cache::Store blocks(store(), {});
    blocks.put_recipe(image.name(), image.recipe().serialize());
    for (std::size_t i = 0; i < 3; ++i) blocks.put(image.recipe().leaves[i], image.block(i));
  }
  {
    std::fstream f(store() + "/blocks", std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(-1, std::ios::end);
    f.put(static_cast<char>(~std::to_integer<unsigned>(image.bytes().back())));
  }
  EXPECT_EQ(cli({"fsck", "--store", store(), "--quick"}).status, 0);
  Outcome o = cli({"fsck", "--store", store()});
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.out, HasSubstr("damage: block " + zar::to_hex(image.recipe().leaves[2])));
  o = cli({"fsck", "--store", store(), "--repair", "--json"});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(Json::parse(o.out)["repaired"], true);
  EXPECT_EQ(Json::parse(o.out)["bad_contents"], 1);
  EXPECT_EQ(cli({"fsck", "--store", store()}).status, 0);
}

TEST_F(CacheVerb, SaysInOneLineWhatIsWrong) {
  const auto expect = [](const std::vector<std::string>& words, int status, const char* says) {
    const Outcome o = cli(words);
    EXPECT_EQ(o.status, status) << says;
    EXPECT_THAT(o.err, HasSubstr(says));
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
  };
  expect({"fsck", "--store", store()}, 2, "name a store");
  expect({"gc", "--store", store()}, 2, "name a store");
  expect({"stat", "--store", store()}, 2, "name a store");
  expect({"stat"}, 2, "give --store DIR");
  expect({"stat", "--socket", socket()}, 1, "cannot connect");
  expect({"serve", "--store", store(), "--limit", "many"}, 2, "--limit");
  expect({"serve", "--store", store(), "--policy", "fifo"}, 2, "--policy");
  expect({"serve", "--store", store(), "--fetches", "0"}, 2, "--fetches");
  expect({"gc", "--store", store(), "--limit", "-1"}, 2, "--limit");
  EXPECT_FALSE(fs::exists(store())) << "nothing was made on the way";
}

}  // namespace
}  // namespace missive::harness
