// Primitives of sharing: a message serialised and parsed, a memory file filled, sealed, handed over
// and read. At sizes, and with texts of lengths, that no experiment uses.

#include <array>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "real/domains/host_service.h"
#include "real/domains/marshal/records.h"
#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"
#include "real/measure/micro_process.h"

namespace missive::measure {

namespace {

constexpr std::size_t kPage = 4096;

enum class Half { serialise, parse };

struct Shape {
  std::size_t records, text;
};

void messages(Sampler& sample, Half half, const std::vector<Shape>& shapes,
              std::size_t records_in_all) {
  for (const auto& [count, text] : shapes) {
    const std::vector<std::byte> rows(count * sizeof(domains::FlatRecord), std::byte{'r'});
    domains::Marshaller marshaller;
    auto message = marshaller.encode(rows, text);
    keep(domains::parse_and_sum(message));
    const std::uint64_t times = std::max<std::uint64_t>(1, records_in_all / count);
    const double t = seconds_of([&] {
      for (std::uint64_t i = 0; i < times; ++i) {
        if (half == Half::serialise)
          message = marshaller.encode(rows, text);
        else
          keep(domains::parse_and_sum(message));
      }
    });
    sample.add(times, times * message.size(), times * count, t);
  }
}

// Texts longer than what std::string keeps in itself (15 bytes): all take memory of their own.
// Records and their fresh objects within the first-level cache, the second, and neither.
const std::vector<Shape> kFew{{2, 24}, {2, 120}, {12, 24}, {90, 120}, {90, 24}};
const std::vector<Shape> kSome{{1'500, 24}, {1'500, 120}, {6'000, 24}};
const std::vector<Shape> kMany{{40'000, 24}, {40'000, 120}, {120'000, 24}};

UniqueFd memory_file(std::size_t pages) {
  UniqueFd file(::memfd_create("micro", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  micro_must(file && ::ftruncate(file.get(), static_cast<off_t>(pages * kPage)) == 0, "memfd");
  return file;
}

// Maps the file and touches every page.
void touch(const UniqueFd& file, std::size_t pages, int protection) {
  void* at = ::mmap(nullptr, pages * kPage, protection, MAP_SHARED, file.get(), 0);
  micro_must(at != MAP_FAILED, "mmap of a memfd");
  auto* bytes = static_cast<volatile char*>(at);
  for (std::size_t p = 0; p < pages; ++p) {
    if ((protection & PROT_WRITE) != 0)
      bytes[p * kPage] = 1;
    else
      keep(bytes[p * kPage]);
  }
  ::munmap(at, pages * kPage);
}

constexpr std::array<std::size_t, 4> kPages{2, 24, 300, 3000};

std::uint64_t times_for(std::size_t pages) { return pages < 100 ? 20 : 1; }

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

void serialise_l1(Sampler& sample) { messages(sample, Half::serialise, kFew, 3000); }
void serialise_l2(Sampler& sample) { messages(sample, Half::serialise, kSome, 6000); }
void serialise_memory(Sampler& sample) { messages(sample, Half::serialise, kMany, 1); }
void parse_l1(Sampler& sample) { messages(sample, Half::parse, kFew, 3000); }
void parse_l2(Sampler& sample) { messages(sample, Half::parse, kSome, 6000); }
void parse_memory(Sampler& sample) { messages(sample, Half::parse, kMany, 1); }

void memory_file_fill(Sampler& sample) {
  for (const std::size_t pages : kPages) {
    const std::uint64_t times = times_for(pages);
    const double t = seconds_of([&] {
      for (std::uint64_t i = 0; i < times; ++i)
        touch(memory_file(pages), pages, PROT_READ | PROT_WRITE);
    });
    sample.add(times, 0, times * pages, t);
  }
}

void memory_file_read(Sampler& sample) {
  for (const std::size_t pages : kPages) {
    const UniqueFd file = memory_file(pages);
    touch(file, pages, PROT_READ | PROT_WRITE);
    const std::uint64_t times = times_for(pages);
    const double t = seconds_of([&] {
      for (std::uint64_t i = 0; i < times; ++i) touch(file, pages, PROT_READ);
    });
    sample.add(times, 0, times * pages, t);
  }
}

namespace {

// pwrite(2) of so many pages into a new memory file, or closing it.
enum class FilePart { write, drop };

void written_files(Sampler& sample, FilePart part) {
  const std::vector<char> data(64 * kPage, 'x');
  for (const std::size_t pages : {1U, 4U, 20U, 64U}) {
    constexpr std::uint64_t kTimes = 20;
    double writing = 0, dropping = 0;
    for (std::uint64_t i = 0; i < kTimes; ++i) {
      UniqueFd file;
      writing += seconds_of([&] {
        file = memory_file(pages);
        micro_must(::pwrite(file.get(), data.data(), pages * kPage, 0) ==
                       static_cast<ssize_t>(pages * kPage),
                   "pwrite");
      });
      dropping += seconds_of([&] { file.reset(); });
    }
    sample.add(kTimes, 0, kTimes * pages, part == FilePart::write ? writing : dropping);
  }
}

}  // namespace

void memory_file_write(Sampler& sample) { written_files(sample, FilePart::write); }
void memory_file_drop(Sampler& sample) { written_files(sample, FilePart::drop); }

void seal(Sampler& sample) {
  constexpr std::size_t kFiles = 50;
  std::vector<UniqueFd> files;
  for (std::size_t i = 0; i < kFiles; ++i) files.push_back(memory_file(1));
  const double t = seconds_of([&] {
    for (const UniqueFd& file : files) {
      struct stat status {};
      micro_must(::fcntl(file.get(), F_ADD_SEALS, kSeals) == 0, "F_ADD_SEALS");
      micro_must(::fcntl(file.get(), F_GET_SEALS) == kSeals, "F_GET_SEALS");
      micro_must(::fstat(file.get(), &status) == 0, "fstat");
    }
  });
  sample.add(kFiles, 0, 0, t);
}

void descriptor_pass(Sampler& sample) {
  constexpr int kTimes = 100;
  int ends[2];
  micro_must(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  const UniqueFd from(ends[0]), to(ends[1]);
  const UniqueFd file = memory_file(1);
  const double t = seconds_of([&] {
    for (int i = 0; i < kTimes; ++i) {
      domains::send_descriptor(to.get(), file.get());
      const UniqueFd received(domains::receive_descriptor(from.get()));
      micro_must(received.get() >= 0, "a descriptor through a socket");
    }
  });
  sample.add(kTimes, 0, 0, t);
}

}  // namespace missive::measure
