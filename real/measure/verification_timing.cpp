#include "real/measure/verification_timing.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/error.h"
#include "real/measure/clock.h"
#include "real/measure/read_memory.h"

namespace missive::measure {

namespace {

cpu_set_t usable() {
  static const cpu_set_t set = [] {
    cpu_set_t s;
    CPU_ZERO(&s);
    ::sched_getaffinity(0, sizeof s, &s);
    return s;
  }();
  return set;
}

void pin_to_nth(std::uint64_t n) {
  const cpu_set_t all = usable();
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &all) && n-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      ::sched_setaffinity(0, sizeof one, &one);
      return;
    }
}

// SplitMix64 (Steele, Lea, Flood 2014): content that does not repeat.
Mapping make_content(std::uint64_t bytes) {
  const UniqueFd fd(::memfd_create("verification", MFD_CLOEXEC));
  if (!fd) throw_errno("memfd_create");
  std::vector<std::uint64_t> words(1 << 16);
  std::uint64_t state = 1;
  for (std::uint64_t done = 0; done < bytes; done += words.size() * 8) {
    for (auto& w : words) {
      std::uint64_t z = state += 0x9e3779b97f4a7c15;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      w = z ^ (z >> 31);
    }
    const std::size_t part = std::min<std::uint64_t>(words.size() * 8, bytes - done);
    if (::pwrite(fd.get(), words.data(), part, static_cast<off_t>(done)) !=
        static_cast<ssize_t>(part))
      throw_errno("filling a memory file");
  }
  return Mapping::read_only(fd.get(), bytes, "verification");
}

}  // namespace

int usable_cpus() {
  const cpu_set_t all = usable();
  return CPU_COUNT(&all);
}

bool same_digests(std::span<const std::byte> found, std::span<const std::byte> expected,
                  std::size_t size) {
  int differences = found.size() == expected.size() ? 0 : 1;
  for (std::size_t at = 0; differences == 0 && at < found.size(); at += size)
    differences = ::CRYPTO_memcmp(found.data() + at, expected.data() + at, size);
  return differences == 0;
}

// The caller and threads - 1 others, each pinned; they sleep on a futex between rounds.
class VerificationTimer::Team {
 public:
  using Part = std::function<void(std::uint64_t thread)>;
  explicit Team(std::uint64_t threads) {
    for (std::uint64_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  }
  ~Team() {
    part_ = nullptr;
    next_round();
    for (auto& worker : workers_) worker.join();
  }
  void run(const Part& part) {
    part_ = &part;
    left_.store(workers_.size(), std::memory_order_relaxed);
    next_round();
    part(0);
    for (std::size_t left = left_; left != 0; left = left_) left_.wait(left);
  }

 private:
  void next_round() {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }
  void work(std::uint64_t thread) {
    pin_to_nth(thread);
    for (std::uint32_t seen = 0;;) {
      round_.wait(seen, std::memory_order_acquire);
      seen = round_.load(std::memory_order_acquire);
      if (part_ == nullptr) return;
      (*part_)(thread);
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
    }
  }
  std::atomic<std::uint32_t> round_{0};
  std::atomic<std::size_t> left_{0};
  const Part* part_ = nullptr;
  std::vector<std::thread> workers_;
};

// What a work needs beside the content: an engine a thread, the digests, what they should be.
struct VerificationTimer::Prepared {
  const verify::Algorithm* algorithm = nullptr;  // none for "read" and "copy"
  std::vector<std::unique_ptr<verify::Engine>> engines;
  std::vector<std::byte> digests, expected, level, root, expected_root;

  std::uint64_t messages(const VerificationWork& w) const {
    return (w.bytes.count + w.message - 1) / w.message;
  }

  void part(const VerificationWork& w, std::span<const std::byte> content,
            std::span<std::byte> copy, std::uint64_t thread) {
    if (algorithm == nullptr) {
      const std::uint64_t each = w.bytes.count / w.threads / 4096 * 4096;
      const auto mine = content.subspan(thread * each, each);
      if (w.algorithm == "read")
        keep(read_memory(mine));
      else
        std::memcpy(copy.data() + thread * each, mine.data(), mine.size());
      return;
    }
    // Whole messages: the first threads have one more where they do not come out even.
    const std::uint64_t all = messages(w);
    const std::uint64_t first = all * thread / w.threads, end = all * (thread + 1) / w.threads;
    if (first == end) return;
    const std::uint64_t from = first * w.message;
    const std::uint64_t bytes = std::min(end * w.message, w.bytes.count) - from;
    const std::size_t size = algorithm->digest_bytes;
    engines[thread]->digest_blocks(content.subspan(from, bytes), w.message, first,
                                   std::span(digests).subspan(first * size, (end - first) * size));
  }

  // A tree's inner nodes, or nothing; then the comparison. `digests` of the level below lie side by
  // side, so a node's children are one message.
  bool finish(const VerificationWork& w) {
    if (algorithm == nullptr) return true;
    if (w.degree == 0)
      return expected.empty() || same_digests(digests, expected, algorithm->digest_bytes);
    const std::size_t size = algorithm->digest_bytes;
    std::span<const std::byte> below(digests);
    std::byte* to = level.data();
    while (below.size() > size) {
      const std::size_t n = (below.size() / size + w.degree - 1) / w.degree;
      engines[0]->digest_blocks(below, w.degree * size, 0, {to, n * size});
      below = {to, n * size};
      to += n * size;
    }
    std::copy(below.begin(), below.end(), root.begin());
    return expected_root.empty() || ::CRYPTO_memcmp(root.data(), expected_root.data(), size) == 0;
  }

  void remember() {
    expected = digests;
    expected_root = root;
  }
};

VerificationTimer::VerificationTimer(std::uint64_t most) : content_(make_content(most)) {
  const long l3 = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  constexpr std::uint64_t kLeast = 64 << 20, kMost = 384 << 20;
  const std::uint64_t size =
      std::clamp<std::uint64_t>(l3 > 0 ? static_cast<std::uint64_t>(l3) * 5 / 4 : 0, kLeast, kMost);
  eviction_ = Mapping::anonymous(size, "cache eviction");
  std::memset(eviction_.writable().data(), 1, size);
  pin_to_nth(0);
  keep(read_memory(content_.bytes()));  // maps every page
}

VerificationTimer::~VerificationTimer() = default;

VerificationTimer::Team& VerificationTimer::team(std::uint64_t threads) {
  if (threads > static_cast<std::uint64_t>(usable_cpus()))
    throw NotAvailable(
        fmt::format("{} threads: this process may use {} CPUs", threads, usable_cpus()));
  auto& team = teams_[threads];
  if (!team) team = std::make_unique<Team>(threads);
  return *team;
}

void VerificationTimer::make_resident(const VerificationWork& work) {
  if (work.residency == Residency::memory)
    keep(read_memory(eviction_.bytes()));
  else
    keep(read_memory(content_.bytes().first(work.bytes.count)));
}

VerificationTimer::Prepared& VerificationTimer::prepare(const VerificationWork& w) {
  auto& slot = prepared_[fmt::format("{} {} {} {} {} {}", w.algorithm, w.bytes.count, w.message,
                                     w.threads, w.degree, to_string(w.residency))];
  if (slot) return *slot;
  auto made = std::make_unique<Prepared>();
  if (w.bytes.count > content_.bytes().size()) throw std::logic_error("more than the content");
  if (w.algorithm == "copy" && copy_.bytes().empty()) {
    copy_ = Mapping::anonymous(content_.bytes().size(), "copy");
    std::memset(copy_.writable().data(), 1, copy_.writable().size());
  }
  if (w.algorithm != "read" && w.algorithm != "copy") {
    made->algorithm = &verify::algorithm(w.algorithm);
    if (const auto why = verify::unavailable(*made->algorithm); !why.empty())
      throw NotAvailable(w.algorithm + ": " + why);
    verify::EngineKey key{};
    key.fill(std::byte{7});
    for (std::uint64_t i = 0; i < w.threads; ++i)
      made->engines.push_back(made->algorithm->make(key));
    const std::size_t size = made->algorithm->digest_bytes;
    made->digests.resize(made->messages(w) * size);
    if (w.degree > 0) {
      made->level.resize(inner_nodes_of(made->messages(w), w.degree, size).nodes * size);
      made->root.resize(size);
    }
  }
  team(w.threads).run([&](std::uint64_t thread) {
    made->part(w, content_.bytes().first(w.bytes.count), copy_.writable(), thread);
  });
  made->finish(w);
  made->remember();
  return *(slot = std::move(made));
}

double VerificationTimer::run(const VerificationWork& work) {
  Team& together = team(work.threads);
  Prepared& prepared = prepare(work);
  const auto content = content_.bytes().first(work.bytes.count);
  const Team::Part part = [&](std::uint64_t thread) {
    prepared.part(work, content, copy_.writable(), thread);
  };
  make_resident(work);
  bool same = false;
  const double seconds = seconds_of([&] {
    together.run(part);
    same = prepared.finish(work);
  });
  if (!same) throw RunError(work.algorithm + ": another outcome for the same bytes");
  return seconds;
}

double VerificationTimer::wake_team(std::uint64_t threads) {
  Team& together = team(threads);
  const Team::Part nothing = [](std::uint64_t) {};
  return seconds_of([&] { together.run(nothing); });
}

}  // namespace missive::measure
