#include "real/zar/content_writer.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include <unistd.h>

#include "models/error.h"
#include "real/zar/layout.h"
#include "real/zar/metadata.h"
#include "real/zar/parallel.h"

namespace missive::zar {

namespace {

constexpr std::size_t kJob = 1 << 20;  // bytes; whole blocks of any size

// Tells how far the build is, from one thread at a time and not too often.
class Ticker {
 public:
  Ticker(const BuildOptions& options, std::uint64_t total) : options_(options), total_(total) {}
  void add(std::uint64_t bytes) {
    const std::uint64_t before = done_.fetch_add(bytes), now = before + bytes;
    constexpr std::uint64_t kStep = 16 << 20;
    if (!options_.progress || (before / kStep == now / kStep && now != total_)) return;
    const std::lock_guard lock(mutex_);
    options_.progress(now, total_);
  }

 private:
  const BuildOptions& options_;
  std::uint64_t total_;
  std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;
};

// Bytes of contents, by content and offset. Keeps the file it read last open.
class Source {
 public:
  Source(const Tree& tree, const Plan& plan) : tree_(tree), plan_(plan) {}
  ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  void read(std::uint32_t content, std::uint64_t offset, std::span<std::byte> to) {
    const Plan::Source& source = plan_.sources[content];
    const TreeEntry& file = tree_.entries()[source.file];
    if (file_ != source.file) {
      close();
      fd_ = tree_.open(file);
      file_ = source.file;
    }
    for (std::uint64_t at = source.file_offset + offset; !to.empty();) {
      const ssize_t n = ::pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        throw RunError(tree_.outside(file) + ": cannot read: " + std::strerror(errno) +
                       "; the image was not made");
      if (n == 0)
        throw RunError(tree_.outside(file) + ": became shorter while being packed; retry");
      to = to.subspan(static_cast<std::size_t>(n));
      at += static_cast<std::uint64_t>(n);
    }
  }
  // Also says whether the file is still what it was.
  void close() {
    if (fd_) tree_.check_unchanged(tree_.entries()[file_], fd_.get());
    fd_.reset();
    file_ = kNever;
  }

 private:
  const Tree& tree_;
  const Plan& plan_;
  UniqueFd fd_;
  std::uint32_t file_ = kNever;
};

void write_at(const OutputFile& out, std::span<const std::byte> data, std::uint64_t offset) {
  if (all_zero(data)) return;
  out.write_at(data, offset);
}

// The image in blocks: each job is 1 MiB of it.
class BlockJobs {
 public:
  BlockJobs(const Tree& tree, const BuildOptions& options, const Plan& plan, OutputFile& out)
      : tree_(tree), options_(options), plan_(plan), out_(out), ticker_(options, plan.end) {
    leaves_.resize(plan.end / options.block_size);
    const std::vector<std::byte> zeros(options.block_size);
    zero_ = sha256(zeros);
  }

  std::vector<Digest> run() {
    write_metadata_blocks();
    const std::uint64_t bytes = plan_.end - plan_.content_start;
    in_parallel(thread_count(options_.threads), (bytes + kJob - 1) / kJob, [&](std::size_t i) {
      const std::uint64_t from = plan_.content_start + i * kJob;
      job(from, std::min<std::uint64_t>(from + kJob, plan_.end));
    });
    return std::move(leaves_);
  }

 private:
  void write_metadata_blocks() {
    std::vector<std::byte> buffer;
    std::uint64_t at = 0;
    const auto flush = [&](std::size_t bytes) {
      hash(std::span<const std::byte>(buffer).first(bytes), at);
      write_at(out_, std::span<const std::byte>(buffer).first(bytes), at);
      at += bytes;
      buffer.erase(buffer.begin(), buffer.begin() + static_cast<long>(bytes));
    };
    write_metadata(tree_, options_, plan_, [&](std::span<const std::byte> part) {
      buffer.insert(buffer.end(), part.begin(), part.end());
      if (const std::size_t whole = buffer.size() / options_.block_size * options_.block_size)
        flush(whole);
    });
    buffer.resize(plan_.content_start - at);
    if (!buffer.empty()) flush(buffer.size());
    ticker_.add(at);
  }

  void job(std::uint64_t from, std::uint64_t to) {
    thread_local std::vector<std::byte> buffer;
    buffer.resize(kJob);
    const std::span<std::byte> data = std::span(buffer).first(to - from);
    const auto& order = plan_.by_offset;
    // The first content that ends behind `from`: contents do not overlap.
    auto next = std::partition_point(order.begin(), order.end(), [&](std::uint32_t c) {
      return plan_.offsets[c] + plan_.contents[c].size <= from;
    });
    std::uint64_t at = from;
    Source source(tree_, plan_);
    for (; next != order.end() && plan_.offsets[*next] < to; ++next) {
      const std::uint64_t begin = plan_.offsets[*next], end = begin + plan_.contents[*next].size;
      const std::uint64_t first = std::max(begin, from), last = std::min(end, to);
      std::memset(data.data() + (at - from), 0, first - at);
      source.read(*next, first - begin, data.subspan(first - from, last - first));
      source.close();
      at = last;
    }
    std::memset(data.data() + (at - from), 0, to - at);
    hash(data, from);
    write_at(out_, data, from);
    ticker_.add(data.size());
  }

  void hash(std::span<const std::byte> data, std::uint64_t offset) {
    thread_local Hasher hasher;
    for (std::size_t i = 0; i < data.size(); i += options_.block_size) {
      const auto block = data.subspan(i, options_.block_size);
      leaves_[(offset + i) / options_.block_size] = all_zero(block) ? zero_ : hasher.hash(block);
    }
  }

  const Tree& tree_;
  const BuildOptions& options_;
  const Plan& plan_;
  OutputFile& out_;
  Ticker ticker_;
  std::vector<Digest> leaves_;
  Digest zero_;
};

// Streams the bytes of one item, zeros between its members, 1 MiB at a time.
template <typename Sink>
void stream_item(const Plan& plan, const Packed::Item& item, Source& source, const Sink& sink) {
  thread_local std::vector<std::byte> buffer;
  buffer.resize(kJob);
  std::size_t used = 0;
  const auto flush = [&] {
    sink(std::span<const std::byte>(buffer).first(used));
    used = 0;
  };
  std::uint64_t at = 0;
  for (const Packed::Member& m : plan.packed.of(item)) {
    for (; at < m.offset; ++at) {
      buffer[used++] = std::byte{0};
      if (used == kJob) flush();
    }
    for (std::uint64_t done = 0, size = plan.contents[m.content].size; done < size;) {
      const std::size_t n = std::min<std::uint64_t>(size - done, kJob - used);
      source.read(m.content, done, std::span(buffer).subspan(used, n));
      used += n;
      done += n;
      at += n;
      if (used == kJob) flush();
    }
    source.close();
  }
  if (used > 0) flush();
}

// The image in units of its pieces: each job is a number of whole pieces.
class PieceJobs {
 public:
  PieceJobs(const Tree& tree, const BuildOptions& options, const Plan& plan, OutputFile& out)
      : tree_(tree),
        options_(options),
        plan_(plan),
        out_(out),
        ticker_(options, plan.end),
        choice_(choose(unit_choices(), "units", options.units)) {
    order_.resize(plan.packed.items.size());
    for (std::uint32_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      return plan.placed.offsets[a] < plan.placed.offsets[b];
    });
    for (std::uint64_t i = 0, bytes = kJob; i < order_.size(); ++i) {
      if (bytes >= kJob) first_.push_back(i), bytes = 0;
      bytes += plan.packed.items[order_[i]].size;
    }
    first_.push_back(order_.size());
  }

  std::vector<Unit> run() {
    std::vector<Unit> units = write_metadata_units();
    std::vector<std::vector<Unit>> results(first_.size() - 1);
    in_parallel(thread_count(options_.threads), results.size(), [&](std::size_t job) {
      for (std::size_t i = first_[job]; i < first_[job + 1]; ++i)
        write_item(order_[i], results[job]);
    });
    for (auto& result : results) units.insert(units.end(), result.begin(), result.end());
    return units;
  }

 private:
  std::vector<Unit> write_metadata_units() {
    std::vector<std::byte> all;
    write_metadata(tree_, options_, plan_, [&](std::span<const std::byte> part) {
      all.insert(all.end(), part.begin(), part.end());
    });
    all.resize(plan_.content_start);
    write_at(out_, all, 0);
    ticker_.add(all.size());
    std::vector<Unit> units;
    for (std::uint64_t at = 0; at < all.size(); at += options_.block_size)
      units.push_back({at, options_.block_size,
                       sha256(std::span<const std::byte>(all).subspan(at, options_.block_size))});
    return units;
  }

  void write_item(std::uint32_t index, std::vector<Unit>& units) {
    const Packed::Item& item = plan_.packed.items[index];
    const auto cutter = choice_.cutter(options_.block_size, options_.chunking);
    std::uint64_t at = plan_.placed.offsets[index], from = at;
    Hasher hasher;
    Source source(tree_, plan_);
    const auto end_unit = [&] {
      if (at == from) return;
      units.push_back({from, static_cast<std::uint32_t>(at - from), hasher.finish()});
      from = at;
    };
    stream_item(plan_, item, source, [&](std::span<const std::byte> data) {
      write_at(out_, data, at);
      ticker_.add(data.size());
      while (!data.empty()) {
        const Cutter::Step step = cutter->next(data);
        hasher.update(data.first(step.count));
        at += step.count;
        data = data.subspan(step.count);
        if (step.ends) end_unit();
      }
    });
    end_unit();
  }

  const Tree& tree_;
  const BuildOptions& options_;
  const Plan& plan_;
  OutputFile& out_;
  Ticker ticker_;
  const UnitChoice& choice_;
  std::vector<std::uint32_t> order_;  // items by offset
  std::vector<std::size_t> first_;    // of each job, in order_; one more at the end
};

}  // namespace

Recipe write_image(const Tree& tree, const BuildOptions& options, const Plan& plan,
                   OutputFile& out) {
  const TreeShape shape = shape_of(options, plan.end);
  out.set_length(plan.end);
  if (shape.units != UnitKind::blocks)
    return make_recipe(shape, PieceJobs(tree, options, plan, out).run());
  Recipe recipe;
  recipe.shape = shape;
  recipe.leaves = BlockJobs(tree, options, plan, out).run();
  return recipe;
}

std::vector<Digest> item_digests(const Tree& tree, const BuildOptions& options, const Plan& plan) {
  std::vector<Digest> digests(plan.packed.items.size());
  in_parallel(thread_count(options.threads), digests.size(), [&](std::size_t i) {
    Hasher hasher;
    Source source(tree, plan);
    stream_item(plan, plan.packed.items[i], source,
                [&](std::span<const std::byte> data) { hasher.update(data); });
    digests[i] = hasher.finish();
  });
  return digests;
}

}  // namespace missive::zar
