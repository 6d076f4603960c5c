// Primitives of memory: first touches, mappings, copies and reads at sizes on either side of the
// caches.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"

namespace missive::measure {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB;

enum class Part { map, unmap };

// Maps 128 pages of `fd` (or anonymous memory), writes a byte to each of the first `touched`, and
// unmaps; gives the seconds of one of the two parts.
double map_and_touch(int fd, std::size_t touched, Part part) {
  constexpr std::size_t kBytes = 128 * kPage;
  void* p = MAP_FAILED;
  const double mapping = seconds_of([&] {
    p = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0),
               fd, 0);
    if (p == MAP_FAILED) throw_errno("micro-measurement: mmap");
    auto* bytes = static_cast<volatile char*>(p);
    for (std::size_t i = 0; i < touched; ++i) bytes[i * kPage] = 1;
  });
  const double unmapping = seconds_of([&] { ::munmap(p, kBytes); });
  return part == Part::map ? mapping : unmapping;
}

void touch_sizes(Sampler& sample, int fd, Part part) {
  for (const std::size_t touched : {0U, 4U, 16U, 64U, 128U}) {
    const std::uint64_t times = touched == 0 ? 160 : 8;
    double t = 0;
    for (std::uint64_t i = 0; i < times; ++i) t += map_and_touch(fd, touched, part);
    sample.add(times, 0, times * touched, t);
  }
}

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

// Every byte, in the way a compiler sums them at -O2 without wide vectors: eight at a time.
[[gnu::noinline]] std::uint64_t read_all(const unsigned char* at, std::size_t size) {
  constexpr std::uint64_t kEven = 0x00ff00ff00ff00ffU;
  std::uint64_t total = 0;
  while (size >= 8) {
    std::uint64_t lanes = 0;
    for (int i = 0; i < 128 && size >= 8; ++i, at += 8, size -= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      lanes += (word & kEven) + ((word >> 8U) & kEven);
    }
    total += (lanes & 0xffffU) + ((lanes >> 16U) & 0xffffU) + ((lanes >> 32U) & 0xffffU) +
             (lanes >> 48U);
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

void anonymous_touch(Sampler& sample) { touch_sizes(sample, -1, Part::map); }
void unmap(Sampler& sample) { touch_sizes(sample, -1, Part::unmap); }

void file_write_touch(Sampler& sample) {
  const UniqueFd file(::memfd_create("micro", MFD_CLOEXEC));
  if (file.get() < 0 || ::ftruncate(file.get(), 128 * kPage) != 0)
    throw_errno("micro-measurement: memfd");
  const std::vector<char> page(kPage, 'x');
  for (std::size_t i = 0; i < 128; ++i)
    if (::pwrite(file.get(), page.data(), kPage, static_cast<off_t>(i * kPage)) !=
        static_cast<ssize_t>(kPage))
      throw_errno("micro-measurement: pwrite");
  touch_sizes(sample, file.get(), Part::map);
}

namespace {

// One page of a new region: with it come the page tables above it.
double region(Part part) {
  constexpr std::size_t kBytes = 64 * kMiB;
  void* p = MAP_FAILED;
  const double mapping = seconds_of([&] {
    p = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
               -1, 0);
    if (p == MAP_FAILED) throw_errno("micro-measurement: mmap of 64 MiB");
    static_cast<volatile char*>(p)[kBytes / 2] = 1;
  });
  const double unmapping = seconds_of([&] { ::munmap(p, kBytes); });
  return part == Part::map ? mapping : unmapping;
}

void regions(Sampler& sample, Part part) {
  constexpr std::uint64_t kTimes = 50;
  double t = 0;
  for (std::uint64_t i = 0; i < kTimes; ++i) t += region(part);
  sample.add(kTimes, 0, 0, t);
}

}  // namespace

// The first write to a page far from any other: the page tables above it are new, too.
void far_touch(Sampler& sample) {
  constexpr std::uint64_t kTimes = 40;
  constexpr std::size_t kBytes = 4096 * kMiB;
  double t = 0;
  for (std::uint64_t i = 0; i < kTimes; ++i) {
    void* p = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw_errno("micro-measurement: mmap of 4 GiB");
    ::madvise(p, kBytes, MADV_NOHUGEPAGE);
    t += seconds_of([&] { static_cast<volatile char*>(p)[kBytes / 2] = 1; });
    ::munmap(p, kBytes);
  }
  sample.add(kTimes, 0, 0, t);
}

void discard(Sampler& sample) {
  constexpr std::size_t kPages = 64;
  Mapping memory = Mapping::anonymous(kPages * kPage, "micro-measurement");
  std::byte* at = memory.writable().data();
  ::madvise(at, kPages * kPage, MADV_NOHUGEPAGE);
  for (const std::size_t touched : {0U, 4U, 16U, 64U}) {
    constexpr std::uint64_t kTimes = 20;
    double t = 0;
    for (std::uint64_t i = 0; i < kTimes; ++i) {
      for (std::size_t p = 0; p < touched; ++p)
        *reinterpret_cast<volatile char*>(at + p * kPage) = 1;
      t += seconds_of([&] { ::madvise(at, kPages * kPage, MADV_DONTNEED); });
    }
    sample.add(kTimes, 0, kTimes * touched, t);
  }
}

void region_start(Sampler& sample) { regions(sample, Part::map); }
void region_end(Sampler& sample) { regions(sample, Part::unmap); }

// Written on the other CPU, read on this one.
void remote_read(Sampler& sample) {
  for (const std::size_t size : {48 * kKiB, 160 * kKiB, 384 * kKiB}) {
    Buffer data(size, 3);
    constexpr int kTimes = 8;
    std::atomic<int> turn{0};
    std::thread writer([&] {
      pin_to(second_cpu());
      for (int i = 0; i < kTimes; ++i) {
        while (turn.load(std::memory_order_acquire) != 2 * i) std::this_thread::yield();
        std::memset(data.data(), i, size);
        turn.store(2 * i + 1, std::memory_order_release);
      }
    });
    double t = 0;
    std::uint64_t sum = 0;
    for (int i = 0; i < kTimes; ++i) {
      while (turn.load(std::memory_order_acquire) != 2 * i + 1) std::this_thread::yield();
      t += seconds_of([&] { sum += read_all(data.data(), size); });
      turn.store(2 * i + 2, std::memory_order_release);
    }
    writer.join();
    keep(sum);
    sample.add(0, kTimes * size, 0, t);
  }
}

void reserve_space(Sampler& sample) {
  constexpr std::uint64_t kTimes = 200;
  constexpr std::size_t kSpace = 8192 * kMiB;
  double t = 0;
  for (std::uint64_t i = 0; i < kTimes; ++i) {
    void* p = MAP_FAILED;
    t += seconds_of([&] {
      p = ::mmap(nullptr, kSpace, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    });
    if (p == MAP_FAILED) throw_errno("micro-measurement: mmap of 8 GiB");
    ::munmap(p, kSpace);
  }
  sample.add(kTimes, 0, 0, t);
}

void allocate(Sampler& sample) {
  constexpr std::uint64_t kTimes = 2000;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kTimes; ++i) {
      const std::unique_ptr<char[]> memory(new char[256]);
      keep(memory.get());
    }
  });
  sample.add(kTimes, 0, 0, t);
}

void protect_page(Sampler& sample) {
  constexpr std::uint64_t kTimes = 500;
  Mapping memory = Mapping::anonymous(4 * kPage, "micro-measurement");
  std::byte* page = memory.writable().data() + kPage;
  *page = std::byte{1};
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kTimes; ++i) {
      ::mprotect(page, kPage, PROT_READ);
      ::mprotect(page, kPage, PROT_READ | PROT_WRITE);
    }
  });
  sample.add(2 * kTimes, 0, 0, t);
}

void fill_l1(Sampler& sample) { fills(sample, {256, 3 * kKiB, 12 * kKiB, 24 * kKiB}, 8 * kMiB); }
void fill_l2(Sampler& sample) { fills(sample, {96 * kKiB, 320 * kKiB, 768 * kKiB}, 16 * kMiB); }
void fill_memory(Sampler& sample) { fills(sample, {12 * kMiB, 48 * kMiB}, 48 * kMiB); }
void copy_l1(Sampler& sample) { copies(sample, {256, 2 * kKiB, 6 * kKiB, 12 * kKiB}, 8 * kMiB); }
void copy_l2(Sampler& sample) { copies(sample, {28 * kKiB, 160 * kKiB, 384 * kKiB}, 16 * kMiB); }
void copy_memory(Sampler& sample) { copies(sample, {6 * kMiB, 24 * kMiB}, 24 * kMiB); }
void read_l1(Sampler& sample) { reads(sample, {256, 3 * kKiB, 12 * kKiB, 24 * kKiB}, 8 * kMiB); }
void read_l2(Sampler& sample) { reads(sample, {96 * kKiB, 320 * kKiB, 768 * kKiB}, 8 * kMiB); }
void read_memory(Sampler& sample) { reads(sample, {12 * kMiB, 48 * kMiB}, 48 * kMiB); }

}  // namespace missive::measure
