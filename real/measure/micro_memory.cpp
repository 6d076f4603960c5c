// Primitives of moving data: filling, copying, reading, at sizes on either side of the caches, and
// from another CPU's.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <unistd.h>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"

namespace missive::measure {

namespace {

constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB;

// Mapped, so that it goes at once: what malloc keeps would make every later fork dearer.
class Buffer {
 public:
  Buffer(std::size_t size, int value) : memory_(Mapping::anonymous(size, "micro-measurement")) {
    std::memset(data(), value, size);
  }
  unsigned char* data() { return reinterpret_cast<unsigned char*>(memory_.writable().data()); }

 private:
  Mapping memory_;
};

void copies(Sampler& sample, const std::vector<std::size_t>& sizes, std::uint64_t bytes_in_all) {
  for (const std::size_t size : sizes) {
    Buffer from(size, 1), to(size, 2);
    const std::uint64_t times = std::max<std::uint64_t>(1, bytes_in_all / size);
    std::memcpy(to.data(), from.data(), size);
    const double t = seconds_of([&] {
      for (std::uint64_t i = 0; i < times; ++i) {
        std::memcpy(to.data(), from.data(), size);
        keep(to.data());
      }
    });
    sample.add(times, times * size, 0, t);
  }
}

void fills(Sampler& sample, const std::vector<std::size_t>& sizes, std::uint64_t bytes_in_all) {
  for (const std::size_t size : sizes) {
    Buffer data(size, 3);
    const std::uint64_t times = std::max<std::uint64_t>(1, bytes_in_all / size);
    int value = 0;
    const double t = seconds_of([&] {
      for (std::uint64_t i = 0; i < times; ++i) {
        std::memset(data.data(), ++value, size);
        keep(data.data());
      }
    });
    sample.add(times, times * size, 0, t);
  }
}

// Every byte, in the way a compiler sums them at -O2 without wide vectors: eight at a time, in
// lanes that are emptied before they can overflow. How many words that are is known before the
// inner loop, which so counts one thing only, as the service's does: a second count is four
// instructions of thirteen, and where nothing but the instructions bounds the reading, half as much
// again.
[[gnu::noinline]] std::uint64_t read_all(const unsigned char* at, std::size_t size) {
  constexpr std::uint64_t kEven = 0x00ff00ff00ff00ffU;
  constexpr std::size_t kMost = 128;  // words before a lane of 16 bits may be full
  std::uint64_t total = 0;
  for (std::size_t left = size / 8; left > 0;) {
    const std::size_t words = left < kMost ? left : kMost;
    std::uint64_t lanes = 0;
    for (const unsigned char* const end = at + 8 * words; at != end; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      lanes += (word & kEven) + ((word >> 8U) & kEven);
    }
    total += (lanes & 0xffffU) + ((lanes >> 16U) & 0xffffU) + ((lanes >> 32U) & 0xffffU) +
             (lanes >> 48U);
    left -= words;
  }
  return total;
}

void reads(Sampler& sample, const std::vector<std::size_t>& sizes, std::uint64_t bytes_in_all) {
  for (const std::size_t size : sizes) {
    Buffer data(size, 3);
    const std::uint64_t times = std::max<std::uint64_t>(1, bytes_in_all / size);
    std::uint64_t sum = read_all(data.data(), size);
    const double t = seconds_of([&] {
      for (std::uint64_t i = 0; i < times; ++i) {
        sum += read_all(data.data(), size);
        keep(sum);
      }
    });
    sample.add(times, times * size, 0, t);
  }
}

}  // namespace

namespace {

enum class Remote { read, fill };

// By turns: the other CPU writes and this one reads, or the other way round.
void by_turns(Sampler& sample, Remote here) {
  for (const std::size_t size : {48 * kKiB, 160 * kKiB, 384 * kKiB}) {
    Buffer data(size, 3);
    constexpr int kTimes = 8;
    std::atomic<int> turn{0};
    const auto fill = [&](int value) { std::memset(data.data(), value, size); };
    const auto read = [&] { keep(read_all(data.data(), size)); };
    std::thread other([&] {
      pin_to(second_cpu());
      for (int i = 0; i < kTimes; ++i) {
        while (turn.load(std::memory_order_acquire) != 2 * i) std::this_thread::yield();
        here == Remote::read ? fill(i) : read();
        turn.store(2 * i + 1, std::memory_order_release);
      }
    });
    double t = 0;
    for (int i = 0; i < kTimes; ++i) {
      while (turn.load(std::memory_order_acquire) != 2 * i + 1) std::this_thread::yield();
      t += seconds_of([&] { here == Remote::read ? read() : fill(i); });
      turn.store(2 * i + 2, std::memory_order_release);
    }
    other.join();
    sample.add(0, kTimes * size, 0, t);
  }
}

}  // namespace

void remote_read(Sampler& sample) { by_turns(sample, Remote::read); }
void remote_fill(Sampler& sample) { by_turns(sample, Remote::fill); }

void fill_l1(Sampler& sample) {
  fills(sample, {24, 96, 256, 3 * kKiB, 12 * kKiB, 24 * kKiB}, kMiB);
}
void fill_l2(Sampler& sample) { fills(sample, {96 * kKiB, 320 * kKiB, 768 * kKiB}, 16 * kMiB); }
void fill_memory(Sampler& sample) { fills(sample, {12 * kMiB, 48 * kMiB}, 48 * kMiB); }
void copy_l1(Sampler& sample) {
  copies(sample, {24, 96, 256, 2 * kKiB, 6 * kKiB, 12 * kKiB}, kMiB);
}
void copy_l2(Sampler& sample) { copies(sample, {28 * kKiB, 160 * kKiB, 384 * kKiB}, 16 * kMiB); }
void copy_memory(Sampler& sample) { copies(sample, {6 * kMiB, 24 * kMiB}, 24 * kMiB); }
void read_l1(Sampler& sample) {
  reads(sample, {24, 96, 256, 3 * kKiB, 12 * kKiB, 24 * kKiB}, kMiB);
}
void read_l2(Sampler& sample) { reads(sample, {96 * kKiB, 320 * kKiB, 768 * kKiB}, 8 * kMiB); }
void read_memory(Sampler& sample) { reads(sample, {12 * kMiB, 48 * kMiB}, 48 * kMiB); }

}  // namespace missive::measure
