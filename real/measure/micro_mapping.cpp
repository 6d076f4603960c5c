// Primitives of address space: mappings, first touches, protections, and their end.

#include <memory>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"

namespace missive::measure {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMiB = 1024UL * 1024;

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

// An area of which every second part may be written and was, one page of each; the parts between
// may not be touched. The kernel keeps a map for each part (maps of one protection beside each
// other are one, mmap(2)); all go with one call.
void unmap_parts(Sampler& sample) {
  constexpr std::size_t kParts = 16, kPart = 4 * kPage;
  for (const std::size_t parts : {2U, 6U, 16U}) {
    constexpr std::uint64_t kTimes = 20;
    double t = 0;
    for (std::uint64_t i = 0; i < kTimes; ++i) {
      Mapping around = Mapping::anonymous(2 * kPart + kParts * kPart, "micro-measurement");
      std::byte* at = around.writable().data() + kPart;
      ::madvise(at, kParts * kPart, MADV_NOHUGEPAGE);
      for (std::size_t part = 0; part < parts; ++part) {
        std::byte* here = at + part * kPart;
        *reinterpret_cast<volatile char*>(here) = 1;
        if (part % 2 == 0 && ::mprotect(here, kPart, PROT_NONE) != 0)
          throw_errno("micro-measurement: mprotect");
      }
      t += seconds_of([&] { ::munmap(at, parts * kPart); });
    }
    sample.add(kTimes, 0, kTimes * parts, t);
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

}  // namespace missive::measure
