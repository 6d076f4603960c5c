#include "real/verify/version_store.h"

#include <csignal>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/zar/test_tree.h"

namespace missive::verify {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

Expected release(std::uint64_t version, int image = -1, const std::string& name = "gnumeric") {
  Expected e;
  e.application = name;
  e.version = version;
  e.name.bytes[0] = static_cast<std::byte>(image < 0 ? static_cast<int>(version) : image);
  e.shape = {65'536, 4096, 4};
  return e;
}

class VersionStoreTest : public testing::Test {
 protected:
  fs::path file() const { return dir_.path() / "versions"; }
  VersionStore store() const { return VersionStore(file()); }
  template <typename Call>
  std::string refusal(Call&& call) {
    try {
      call();
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      return e.what();
    }
    ADD_FAILURE() << "accepted";
    return {};
  }

  zar::TemporaryDirectory dir_;
  PublicKey vendor_{}, other_{std::byte{1}};
};

TEST_F(VersionStoreTest, FirstLaunchUpdateAndTheSameAgainAreAdmitted) {
  EXPECT_FALSE(store().highest(vendor_, "gnumeric"));
  for (const std::uint64_t version : {1ull, 1ull, 2ull, 9ull, 9ull, ~0ull}) {
    EXPECT_NO_THROW(store().admit(vendor_, release(version, 3)));
    store().remember(vendor_, release(version, 3));
    EXPECT_EQ(store().highest(vendor_, "gnumeric")->version, version);
  }
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms{0600});
}

TEST_F(VersionStoreTest, ADowngradeIsRefusedWithBothVersions) {
  store().remember(vendor_, release(7));
  for (const std::uint64_t old : {0ull, 1ull, 6ull}) {
    const auto why = refusal([&] { store().admit(vendor_, release(old)); });
    EXPECT_THAT(why, HasSubstr("version " + std::to_string(old) + " is older than version 7"));
    refusal([&] { store().remember(vendor_, release(old)); });
  }
  EXPECT_EQ(store().highest(vendor_, "gnumeric"), (Seen{7, release(7).name}));
}

TEST_F(VersionStoreTest, OneVersionIsOneImage) {
  store().remember(vendor_, release(7, 1));
  EXPECT_THAT(refusal([&] { store().admit(vendor_, release(7, 2)); }),
              HasSubstr("under that number"));
}

TEST_F(VersionStoreTest, AdmittingRemembersNothing) {
  store().admit(vendor_, release(9));
  EXPECT_FALSE(fs::exists(file())) << "its image may never arrive";
}

TEST_F(VersionStoreTest, VendorsAndApplicationsAreApart) {
  store().remember(vendor_, release(7));
  EXPECT_NO_THROW(store().admit(other_, release(1)));
  EXPECT_NO_THROW(store().admit(vendor_, release(1, 1, "abiword")));
  store().remember(other_, release(1));
  store().remember(vendor_, release(2, 1, "abiword"));
  EXPECT_EQ(store().highest(vendor_, "gnumeric")->version, 7u);
  EXPECT_EQ(store().highest(other_, "gnumeric")->version, 1u);
  EXPECT_EQ(store().highest(vendor_, "abiword")->version, 2u);
}

TEST_F(VersionStoreTest, AKnownVersionIsNotWrittenAgain) {
  store().remember(vendor_, release(7));
  zar::set_time(file(), 1000);
  const auto before = fs::last_write_time(file());
  store().remember(vendor_, release(7));
  EXPECT_EQ(fs::last_write_time(file()), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), {}), 1) << "nothing left beside it";
}

// Freshness does not hang on the master key: a new one voids tags and nothing else.
TEST_F(VersionStoreTest, ALostMasterKeyDoesNotOpenTheWayBack) {
  const fs::path key = dir_.path() / "master.key";
  const MasterKey first = load_or_create_master_key(key);
  store().remember(vendor_, release(7));
  fs::remove(key);
  EXPECT_NE(load_or_create_master_key(key).bytes, first.bytes);
  EXPECT_THAT(refusal([&] { store().admit(vendor_, release(6)); }), HasSubstr("older"));
  EXPECT_NO_THROW(store().admit(vendor_, release(7)));
}

TEST_F(VersionStoreTest, AnyDamageIsRefusedAndNamesTheFile) {
  store().remember(vendor_, release(7));
  store().remember(other_, release(3));
  const auto good = zar::read_file(file());
  const auto with = [&](const std::vector<std::byte>& bytes) {
    return refusal([&] { VersionStore::decode(bytes, "version store FILE"); });
  };
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bytes = good;
    bytes[at] ^= std::byte{1};
    EXPECT_THAT(with(bytes), HasSubstr("version store FILE")) << at;
    EXPECT_THAT(with({good.begin(), good.begin() + static_cast<long>(at)}), HasSubstr("FILE"));
  }
  EXPECT_EQ(VersionStore::encode(VersionStore::decode(good, "store")), good);
  fs::resize_file(file(), good.size() / 2);
  EXPECT_THAT(refusal([&] { store().admit(vendor_, release(9)); }), HasSubstr(file().string()));
}

TEST_F(VersionStoreTest, AFileOfOthersOrOfAnotherKindIsRefused) {
  store().remember(vendor_, release(7));
  for (const unsigned mode : {0640u, 0604u, 0620u}) {
    fs::permissions(file(), fs::perms{mode});
    EXPECT_THAT(refusal([&] { store().admit(vendor_, release(9)); }), HasSubstr("others may"));
  }
  fs::rename(file(), dir_.path() / "real");
  fs::create_symlink("real", file());
  refusal([&] { store().admit(vendor_, release(9)); });
  fs::remove(file());
  fs::create_directory(file());
  refusal([&] { store().admit(vendor_, release(9)); });
}

TEST_F(VersionStoreTest, TwoMonitorsAtOnceLoseNothing) {
  std::thread second([&] {
    for (std::uint64_t v = 1; v <= 40; ++v) store().remember(other_, release(v));
  });
  for (std::uint64_t v = 1; v <= 40; ++v) store().remember(vendor_, release(v));
  second.join();
  EXPECT_EQ(store().highest(vendor_, "gnumeric")->version, 40u);
  EXPECT_EQ(store().highest(other_, "gnumeric")->version, 40u);
}

// A child counts up and says each version that remember() returned from; it is killed anywhere.
TEST_F(VersionStoreTest, KillNineNeverTakesAnAcknowledgedVersionBack) {
  std::uint64_t next = 1;
  for (int round = 0; round < 40; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      for (std::uint64_t v = next;; ++v) {
        store().remember(vendor_, release(v, static_cast<int>(v % 251)));
        if (::write(ends[1], &v, sizeof v) != sizeof v) ::_exit(1);
      }
    }
    ::close(ends[1]);
    std::uint64_t said = 0, last = 0;
    for (int i = 0; i <= round % 5; ++i)
      if (::read(ends[0], &said, sizeof said) == sizeof said) last = said;
    ::usleep(static_cast<unsigned>(round * 37));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(ends[0], &said, sizeof said) == sizeof said) last = said;
    ::close(ends[0]);
    ASSERT_GE(last, next);
    const auto seen = store().highest(vendor_, "gnumeric");
    ASSERT_TRUE(seen);
    EXPECT_GE(seen->version, last);
    EXPECT_LE(seen->version, last + 1);
    next = seen->version + 1;
  }
}

}  // namespace
}  // namespace missive::verify
