// Micro-measurements between launcher and cache, and of the cache's own work.

#include <array>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "real/cache/client.h"
#include "real/cache/store.h"
#include "real/launch/picoprocess.h"
#include "real/measure/clock.h"
#include "real/measure/micro_list.h"

namespace missive::measure {

namespace {

constexpr std::chrono::seconds kDeadline{30};

cache::Client connect(const BenchBed& bed) {
  return cache::Client::connect(bed.cache_socket(), kDeadline);
}

zar::Digest numbered(std::uint64_t n) {
  zar::Digest d;
  for (std::size_t i = 0; i < 8; ++i) d.bytes[i] = static_cast<std::byte>(n >> (8 * i));
  return d;
}

// A connected pair of TCP sockets over the loopback device, without Nagle's delay.
std::pair<UniqueFd, UniqueFd> tcp_pair() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), generic, &size) != 0)
    throw_errno("loopback socket");
  UniqueFd a(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(a.get(), generic, size) != 0) throw_errno("loopback connection");
  UniqueFd b(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const int on = 1;
  for (const int fd : {a.get(), b.get()})
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return {std::move(a), std::move(b)};
}

}  // namespace

// In a launch the first exchange, and the putting of a tag, come after milliseconds of other work:
// the cache's thread sleeps, and of what the two need nothing is in the processor's caches.
// Emptying these is such a pause, too. The other exchanges come right behind another one.

// With the first answer: only then the cache has a thread for the connection.
void unix_connect(BenchBed& bed, Sampler& sample) {
  std::optional<cache::Client> client;
  bed.evict_caches();
  sample.add(1, 0, 0, seconds_of([&] {
               client.emplace(connect(bed));
               client->lookup(numbered(1));
             }));
}

void unix_round_trip(BenchBed& bed, Sampler& sample) {
  auto client = connect(bed);
  bed.evict_caches();
  client.lookup(numbered(1));
  sample.add(1, 0, 0, seconds_of([&] { client.get_tag(numbered(2)); }));
}

void tag_put(BenchBed& bed, Sampler& sample) {
  auto client = connect(bed);
  const std::vector<std::byte> tag(96);
  client.get_tag(numbered(1));
  bed.evict_caches();
  sample.add(1, 0, 0, seconds_of([&] { client.put_tag(numbered(3), tag); }));
}

// As in a hot launch: behind the clone of a picoprocess, on a new connection, behind the look-up.
// Once, since a second one would find its way in the processor's caches.
void hand_over_sealed(BenchBed& bed, Sampler& sample) {
  const BenchImage& image = bed.image("12MiB");
  connect(bed).assemble(image.report.name);
  const auto process = launch::Picoprocess::create();
  auto client = connect(bed);
  client.lookup(image.report.name);
  sample.add(1, 0, 0, seconds_of_hand_over(client, image));
}

void hand_over_copy(BenchBed& bed, Sampler& sample) {
  auto client = connect(bed);
  for (const char* size : {"4MiB", "12MiB", "24MiB", "40MiB"}) {
    const BenchImage& image = bed.image(size);
    client.assemble(image.report.name);
    Mapping mapping;
    bed.evict_caches();
    const double t = seconds_of([&] {
      mapping = Mapping::anonymous(image.memory.bytes().size(), "micro");
      client.get_copy(image.report.name, mapping.writable());
    });
    sample.add(1, image.memory.bytes().size(), 0, t);
  }
}

void store_lookup(BenchBed& bed, Sampler& sample) {
  cache::Store store(bed.fresh_directory(), {});
  constexpr std::uint64_t kNames = 2000;
  const std::array<std::byte, 64> block{};
  for (std::uint64_t i = 0; i < kNames; i += 2) store.put(numbered(i), block);
  std::uint64_t found = 0;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kNames; ++i) found += store.contains(numbered(i)) ? 1u : 0u;
  });
  keep(found);
  sample.add(0, 0, kNames, t);
}

void loopback_latency(BenchBed&, Sampler& sample) {
  const auto [near, far] = tcp_pair();
  constexpr int kTrips = 50;
  std::thread echo([fd = far.get()] {
    char byte = 0;
    for (int i = 0; i < kTrips; ++i)
      if (::read(fd, &byte, 1) != 1 || ::write(fd, &byte, 1) != 1) return;
  });
  char byte = 'x';
  const double t = seconds_of([&, fd = near.get()] {
    for (int i = 0; i < kTrips; ++i)
      if (::write(fd, &byte, 1) != 1 || ::read(fd, &byte, 1) != 1) return;
  });
  echo.join();
  sample.add(2 * kTrips, 0, 0, t);
}

}  // namespace missive::measure
