// The cache as a process of its own: who it is, what it inherits, what it leaves, who may listen.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "real/cache/server_testing.h"
#include "real/fd.h"

namespace missive::cache {
namespace {

TEST_F(Cache, RunsUnderAUidOfItsOwn) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to change to another uid";
  // A home that the other uid may not enter.
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0700), 0);
  const TestImage image(4, 1);
  OriginProcess origin({image.publication("demo")});
  { Store made_by_root(options().store, {}); }
  const CacheProcess cache(options(origin.url()));
  std::ifstream status("/proc/" + std::to_string(cache.pid()) + "/status");
  const std::string text((std::istreambuf_iterator<char>(status)), {});
  EXPECT_THAT(text, HasSubstr("\nUid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(text, HasSubstr("\nGid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(text, HasSubstr("\nGroups:\t \n"));
  EXPECT_THAT(text, HasSubstr("\nNoNewPrivs:\t1\n"));
  EXPECT_THAT(text, HasSubstr("\nCapEff:\t0000000000000000\n"));
  Client c = client();
  c.fetch(image.name());
  for (int i = 0; i < 600; ++i) c.put_tag(image.name(), Bytes(kMaxTagBytes, std::byte(i)));
  struct stat s {};
  ASSERT_EQ(::stat((options().store / "tags").c_str(), &s), 0);
  EXPECT_EQ(s.st_uid, 65534U);
}

TEST_F(Cache, InheritsNoDescriptors) {
  const UniqueFd secret(::open("/dev/zero", O_RDONLY));  // NOLINT: without O_CLOEXEC on purpose
  const CacheProcess cache(options());
  for (const auto& fd :
       std::filesystem::directory_iterator("/proc/" + std::to_string(cache.pid()) + "/fd")) {
    EXPECT_NE(std::filesystem::read_symlink(fd.path()), "/dev/zero");
  }
}

TEST_F(Cache, LeavesNoProcessAndNoSocketBehind) {
  pid_t pid = -1;
  {
    const CacheProcess cache(options());
    pid = cache.pid();
    EXPECT_TRUE(std::filesystem::exists(cache.socket()));
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_FALSE(std::filesystem::exists(options().socket));
}

// In a process that did nothing about SIGPIPE: sendfile(2) raises it when the client is gone.
TEST_F(Cache, AClientThatLeavesInTheMiddleOfACopyEndsNoServer) {
  const TestImage image(64, 1);  // 4 MiB: more than a socket's queue takes
  const auto o = options();
  {
    Store store(o.store, {});
    store.put_recipe(image.name(), image.recipe().serialize());
    for (std::size_t i = 0; i < 64; ++i) store.put(image.recipe().leaves[i], image.block(i));
  }
  const auto serve_one_who_leaves = [&] {
    ::signal(SIGPIPE, SIG_DFL);
    const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    Server server(listen_at(o.socket), open_store_directory(o.store), "test", o.server);
    std::thread running([&] { server.run(stop.get()); });
    client().assemble(image.name());
    {
      const UniqueFd leaves = raw_connection();
      std::string get_copy("MSVC\1\0\5\0\x20\0\0\0", 12);
      get_copy.append(reinterpret_cast<const char*>(image.name().bytes.data()), 32);
      ::send(leaves.get(), get_copy.data(), get_copy.size(), MSG_NOSIGNAL);
      std::array<char, 20> head{};
      if (::recv(leaves.get(), head.data(), head.size(), MSG_WAITALL) != 20) ::_exit(2);
    }
    const std::uint64_t one = 1;
    if (::write(stop.get(), &one, sizeof one) != sizeof one) ::_exit(2);
    running.join();  // and with it the thread that sent the copy
    ::_exit(0);
  };
  EXPECT_EXIT(serve_one_who_leaves(), testing::ExitedWithCode(0), "");
}

TEST_F(Cache, TwoAtOnePlaceAreRefused) {
  const CacheProcess cache(options());
  EXPECT_THAT(error_of([&] { CacheProcess second(options()); }), HasSubstr("cannot listen"));
  auto o = options();
  o.socket = dir_.path() / "other";
  EXPECT_THAT(error_of([&] { CacheProcess third(o); }), HasSubstr("in use by another process"));
  EXPECT_FALSE(std::filesystem::exists(o.socket));
  client().lookup(zar::Digest{});
}

TEST_F(Cache, ReplacesASocketNobodyListensTo) {
  listen_at(options().socket);  // bound, closed at once, left on the disk
  ASSERT_TRUE(std::filesystem::exists(options().socket));
  const CacheProcess cache(options());
  client().lookup(zar::Digest{});
}

}  // namespace
}  // namespace missive::cache
