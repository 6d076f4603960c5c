#pragma once
// For tests of the cache as a process, with a real origin behind it.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "models/error.h"
#include "real/cache/client.h"
#include "real/cache/server.h"
#include "real/error_testing.h"
#include "real/fd.h"
#include "real/origin/server.h"
#include "real/origin/test_image.h"

namespace missive::cache {

using origin::OriginProcess;
using origin::TestImage;
using std::chrono::milliseconds;
using testing::HasSubstr;
using Bytes = std::vector<std::byte>;

// A cache at one place, which a test starts as it likes.
class Cache : public testing::Test {
 protected:
  CacheProcess::Options options(const std::string& origin = "") const {
    CacheProcess::Options o;
    o.socket = dir_.path() / "socket";
    o.store = dir_.path() / "store";
    o.server.service.origin_url = origin;
    o.server.service.origin_deadline = milliseconds(10'000);
    return o;
  }
  Client client(milliseconds deadline = milliseconds(20'000)) const {
    return Client::connect(dir_.path() / "socket", deadline);
  }
  Bytes copy_of(Client& c, const TestImage& image) const {
    Bytes bytes(image.bytes().size());
    c.get_copy(image.name(), bytes);
    return bytes;
  }
  // A client that need not keep to the protocol.
  UniqueFd raw_connection() const {
    UniqueFd s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (dir_.path() / "socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(s.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return s;
  }
  static bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
    return std::ranges::equal(a, b);
  }

  origin::TemporaryDirectory dir_;
};

}  // namespace missive::cache
