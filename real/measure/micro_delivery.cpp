// Micro-measurements of picoprocesses and of the ways to deliver files into them.

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

#include "models/error.h"
#include "real/launch/ahead.h"
#include "real/launch/delivery.h"
#include "real/launch/image_tree.h"
#include "real/launch/launch_runs.h"
#include "real/launch/picoprocess.h"
#include "real/measure/clock.h"
#include "real/measure/micro_list.h"
#include "real/process.h"

namespace missive::measure {

namespace {

std::unique_ptr<launch::Delivery> make_delivery(const std::string& name) {
  for (const auto& d : launch::deliveries())
    if (d.name == name) {
      if (const auto why = d.unavailable(); !why.empty())
        throw NotAvailable("delivery " + name + ": " + why);
      return d.make();
    }
  throw std::logic_error("no delivery " + name);
}

// Delivers, and says how long that took; making the method and taking it down again is not timed.
double time_of_delivery(const BenchBed& bed, const std::string& method, const zar::Image& image) {
  const auto delivery = make_delivery(method);
  launch::Delivered delivered;
  UniqueFd root;
  bed.evict_caches();
  return seconds_of([&] { root = delivery->deliver(image, &delivered); });
}

// Of `work` in a child that has done nothing yet, as a launch is one.
template <typename Work>
double seconds_in_fresh_process(const BenchBed& bed, const Work& work) {
  const std::string text = run_in_child(
      [&] {
        bed.evict_caches();
        const std::int64_t start = now_ns();
        work();
        return std::to_string(now_ns() - start);
      },
      std::chrono::seconds(30), "micro-measurement");
  return std::stod(text) * 1e-9;
}

std::uint64_t nodes(const BenchImage& image) {
  return image.report.directories + image.report.symlinks;
}

}  // namespace

void picoprocess_create(BenchBed& bed, Sampler& sample) {
  launch::Picoprocess::prepare_program();  // as a resident launcher has
  std::optional<launch::Picoprocess> process;
  bed.evict_caches();
  sample.add(1, 0, 0, seconds_of([&] { process.emplace(launch::Picoprocess::create()); }));
}

void picoprocess_prepare(BenchBed& bed, Sampler& sample) {
  bed.evict_caches();
  auto process = launch::Picoprocess::create();
  const std::int64_t cloned = now_ns();
  // Nothing where it was done before this process ran again.
  sample.add(1, 0, 0,
             static_cast<double>(std::max(process.prepared() - cloned, std::int64_t{0})) * 1e-9);
}

// From the delivered root to a running program; the program is a static one that does nothing.
void picoprocess_start(BenchBed& bed, Sampler& sample) {
  const auto delivery = make_delivery("extract");
  const zar::Image image = bed.image("starter").open();
  launch::Delivered delivered;
  const UniqueFd root = delivery->deliver(image, &delivered);
  auto process = launch::Picoprocess::create();
  process.prepared();
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  launch::Environment environment;
  environment.command = {kStarter};
  bed.evict_caches();
  sample.add(1, 0, 0,
             seconds_of([&] { process.start(root, environment, null.get(), null.get()); }));
}

// What reads an index is done once in the life of a launcher: memory for it is fresh, and neither
// index nor code is in the processor's caches.
void image_open(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"many", "nodes"}) {
    const BenchImage& image = bed.image(name);
    sample.add(1, 0, image.report.files + nodes(image),
               seconds_in_fresh_process(bed, [&] { keep(image.open().entries().size()); }));
  }
}

void image_tree(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"many", "nodes"}) {
    const zar::Image image = bed.image(name).open();
    sample.add(1, 0, image.entries().size(), seconds_in_fresh_process(bed, [&] {
                 keep(launch::ImageTree(image).children(0).size());
               }));
  }
}

// Links as a distribution has them: relative and absolute ones, some through another link.
void plan_ahead(BenchBed& bed, Sampler& sample) {
  const BenchImage& links = bed.image("links");
  const zar::Image image = links.open();
  const launch::ImageTree tree(image);
  sample.add(0, 0, links.report.symlinks,
             seconds_in_fresh_process(bed, [&] { keep(launch::plan_ways(tree).links.size()); }));
}

void extract_mount(BenchBed&, Sampler& sample) {
  std::unique_ptr<launch::Delivery> made;
  sample.add(1, 0, 0, seconds_of([&] { made = make_delivery("extract"); }));
}

void extract(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"empty", "4MiB", "12MiB", "24MiB", "40MiB", "many"}) {
    const BenchImage& image = bed.image(name);
    sample.add(1, image.report.content_bytes, image.report.files,
               time_of_delivery(bed, "extract", image.open()));
  }
}

void extract_node(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"empty", "nodes"})
    sample.add(1, 0, nodes(bed.image(name)),
               time_of_delivery(bed, "extract", bed.image(name).open()));
}

void fuse_mount(BenchBed&, Sampler& sample) {
  std::unique_ptr<launch::Delivery> made;
  sample.add(1, 0, 0, seconds_of([&] { made = make_delivery("fuse"); }));
}

// An image whose directories are large and whose runs are one page: what is timed is the listing.
void fuse_list(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"empty-run", "many-run"}) {
    const zar::Image image = bed.image(name).open();
    const std::uint64_t listed =
        image.children(*image.find("/f")).size() + image.children(0).size();
    sample.add(1, 0, listed, time_of_delivery(bed, "fuse", image));
  }
}

constexpr int kAttempts = 16;

[[noreturn]] void throw_too_busy(const std::string& measurement, const std::string& what) {
  throw RunError("micro-measurement " + measurement + ": this machine is too busy to tell " + what +
                 "; calibrate when it is not");
}

// As many files, runs and entries in many directories and in one: the difference is the
// directories.
void fuse_directory(BenchBed& bed, Sampler& sample) {
  const zar::Image one = bed.image("one-directory").open();
  const zar::Image many = bed.image("many-directories").open();
  // On a busy machine an interruption of the lesser one can be longer than the difference.
  double t = 0;
  for (int attempt = 0; t <= 0; ++attempt) {
    if (attempt == kAttempts)
      throw RunError(
          "micro-measurement fuse_directory: this machine is too busy to tell many "
          "directories from one; calibrate when it is not");
    t = time_of_delivery(bed, "fuse", many) - time_of_delivery(bed, "fuse", one);
  }
  sample.add(0, 0, many.children(*many.find("/f")).size(), t);
}

// stat(2) of names never asked for before, as an application's start does.
void fuse_lookup(BenchBed& bed, Sampler& sample) {
  const auto delivery = make_delivery("fuse");
  const zar::Image image = bed.image("many").open();
  launch::Delivered delivered;
  const UniqueFd root = delivery->deliver(image, &delivered);
  constexpr int kNames = 1000;
  struct stat status {};
  ::fstatat(root.get(), "f", &status, 0);
  const double t = seconds_of([&] {
    for (int i = 0; i < kNames; ++i) {
      // Every third name does not exist: applications search paths.
      const std::string name = (i % 3 == 0 ? "f/none" : "f/") + std::to_string(i);
      ::fstatat(root.get(), name.c_str(), &status, 0);
    }
  });
  sample.add(0, 0, kNames, t);
}

// Pages that nobody has put ahead, asked for one request at a time: without read-ahead a pread(2)
// is one FUSE_READ (posix_fadvise(2), POSIX_FADV_RANDOM). The copy to the reader, which a page
// fault does without, is what a later reading takes: the quickest of several.
void fuse_read(BenchBed& bed, Sampler& sample) {
  const auto delivery = make_delivery("fuse");
  const zar::Image image = bed.image("24MiB").open();
  launch::Delivered delivered;
  const UniqueFd root = delivery->deliver(image, &delivered);
  constexpr std::uint64_t kFiles = 48, kHalf = 256 * 1024, kApart = 32 * 1024;
  std::vector<UniqueFd> files;
  for (std::uint64_t i = 0; i < kFiles; ++i) {
    files.emplace_back(
        ::openat(root.get(), ("f/" + std::to_string(i)).c_str(), O_RDONLY | O_CLOEXEC));
    if (!files.back() || ::posix_fadvise(files.back().get(), 0, 0, POSIX_FADV_RANDOM) != 0)
      throw_errno("a file of the FUSE mount");
  }
  std::vector<char> buffer(2 * kApart);
  constexpr int kReadings = 4;
  // The first halves in small requests, the second ones in large.
  for (const std::uint64_t size : {std::uint64_t{4096}, 2 * kApart}) {
    const std::uint64_t begin = size == 4096 ? 0 : kHalf, step = std::max(size, kApart);
    std::uint64_t requests = 0;
    const auto read_all = [&] {
      requests = 0;
      for (const UniqueFd& file : files)
        for (std::uint64_t at = begin; at < begin + kHalf; at += step, ++requests)
          if (::pread(file.get(), buffer.data(), size, static_cast<off_t>(at)) < 0)
            throw_errno("reading through the FUSE mount");
    };
    bed.evict_caches();
    const double first = seconds_of(read_all);
    // An interruption of one can be longer than the first reading.
    double later = seconds_of(read_all);
    for (int i = 1; i < kReadings; ++i) later = std::min(later, seconds_of(read_all));
    if (first <= later) throw_too_busy("fuse_read", "a first reading from a later one");
    sample.add(0, requests * size, requests, first - later);
  }
}

void fuse_store(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"empty-run", "runs-few", "runs-many"}) {
    const zar::Image image = bed.image(name).open();
    sample.add(1, launch::launch_run_bytes(image), launch::coalesced_runs(image).size(),
               time_of_delivery(bed, "fuse", image));
  }
}

}  // namespace missive::measure
