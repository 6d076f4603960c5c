// Time to the ready mark of a real application: natively, and in a picoprocess by each delivery;
// interleaved, medians, with the parts of each launch.
//
//   real_launch_delivery_bench [--app NAME] [--rounds N] [--root DIR]
//
// "tree" is the native twin's tree in a picoprocess: what confinement alone costs the application.
//
// Not a Google Benchmark program: one "iteration" is a launch of three hundred milliseconds whose
// parts matter. Times in milliseconds, CLOCK_MONOTONIC.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/application.h"
#include "real/launch/delivery.h"
#include "real/launch/mounts.h"
#include "real/launch/native.h"
#include "real/launch/picoprocess.h"
#include "real/launch/ready.h"
#include "real/launch/sealed_memory.h"
#include "real/measure/scratch.h"
#include "real/zar/builder.h"
#include "real/zar/extract.h"

namespace {

namespace fs = std::filesystem;
using namespace missive;
using namespace missive::launch;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

using Parts = std::vector<std::pair<std::string, double>>;

// One launch's context: display, watcher, pipes.
class Attempt {
 public:
  Attempt(const Application& application, const std::optional<Display>& display)
      : application_(application), log_(::open("/dev/null", O_WRONLY | O_CLOEXEC)) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe");
    output_ = UniqueFd(ends[0]);
    inside_ = UniqueFd(ends[1]);
    if (display) watcher_.emplace(*display);
    environment_.command = application.command;
    environment_.variables = environment_for(application, display ? display->name() : "");
    if (display) environment_.x11_socket = display->socket();
  }
  const Environment& environment() const { return environment_; }
  int output() const { return inside_.get(); }
  int log() const { return log_.get(); }
  std::int64_t wait(int pidfd) {
    inside_.reset();
    constexpr auto kDeadline = std::chrono::seconds(30);
    return watcher_ ? watcher_->wait(kDeadline, pidfd)
                    : wait_for_output(output_.get(), kDeadline, pidfd);
  }

 private:
  const Application& application_;
  UniqueFd log_, output_, inside_;
  std::optional<WindowWatcher> watcher_;
  Environment environment_;
};

void mark(Parts& parts, const char* name, std::int64_t& since) {
  const std::int64_t at = now();
  parts.emplace_back(name, static_cast<double>(at - since) / 1e6);
  since = at;
}

Parts native(Attempt& attempt, const fs::path& tree) {
  NativeTwin twin = NativeTwin::prepare(tree, attempt.environment().x11_socket);
  Parts parts;
  const std::int64_t begin = now();
  std::int64_t since = begin;
  twin.start(attempt.environment(), attempt.output(), attempt.log());
  mark(parts, "start", since);
  const std::int64_t ready = attempt.wait(twin.pidfd());
  parts.emplace_back("exec to ready", static_cast<double>(ready - since) / 1e6);
  parts.emplace_back("total", static_cast<double>(ready - begin) / 1e6);
  return parts;
}

using Make = std::function<std::unique_ptr<Delivery>()>;

Parts confined(Attempt& attempt, const zar::Image& image, const Make& make) {
  Parts parts;
  const std::int64_t begin = now();
  std::int64_t since = begin;
  const auto delivery = make();
  mark(parts, "make delivery", since);
  Picoprocess process = Picoprocess::create();
  mark(parts, "create", since);
  Delivered delivered;
  const UniqueFd root = delivery->deliver(image, &delivered);
  mark(parts, "deliver", since);
  process.prepared();
  mark(parts, "wait for it", since);
  const Served before = delivery->served();
  process.start(root, attempt.environment(), attempt.output(), attempt.log());
  mark(parts, "start", since);
  const std::int64_t ready = attempt.wait(process.pidfd());
  parts.emplace_back("exec to ready", static_cast<double>(ready - since) / 1e6);
  parts.emplace_back("total", static_cast<double>(ready - begin) / 1e6);
  const Served after = delivery->served();
  parts.emplace_back("# files", delivered.files);
  parts.emplace_back("# MB delivered", static_cast<double>(delivered.bytes) / 1e6);
  parts.emplace_back("# requests before", before.lookups + before.reads + before.others);
  parts.emplace_back("# look-ups", after.lookups - before.lookups);
  parts.emplace_back("# reads", after.reads - before.reads);
  parts.emplace_back("# MB read", static_cast<double>(after.bytes_read - before.bytes_read) / 1e6);
  parts.emplace_back("# others", after.others - before.others);
  return parts;
}

// No delivery: the same files, unpacked before.
class Tree : public Delivery {
 public:
  explicit Tree(fs::path tree) : tree_(std::move(tree)) {}
  UniqueFd deliver(const zar::Image&, Delivered*) override {
    UniqueFd root = clone_mount(tree_);
    make_read_only(root);
    return root;
  }

 private:
  fs::path tree_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

int run(const std::string& name, int rounds, const std::string& given_root) {
  const Application& app = application(name);
  const fs::path root = given_root.empty() ? ensure_root(app) : fs::path(given_root);
  const LaunchTrace trace = read_trace(trace_file(app));

  const measure::ScratchDirectory scratch;
  const fs::path& work = scratch.path();
  const zar::BuildReport report = zar::build(root, trace.selection, {}, work / "image");
  std::printf("%s: %llu files, %.1f MB, %zu selected files missing\n", name.c_str(),
              static_cast<unsigned long long>(report.files),
              static_cast<double>(report.content_bytes) / 1e6, report.missing.size());
  // As a cache hands it over: a mapped memory file, sealed.
  const UniqueFd file(::open((work / "image").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd memory = sealed_file_of(
      Mapping::read_only(file.get(), fs::file_size(work / "image"), "the image").bytes(), "image");
  const Mapping mapping =
      Mapping::read_only(memory.get(), fs::file_size(work / "image"), "the image");
  const zar::Image image = zar::Image::open(mapping.bytes(), "image");
  zar::extract(image, [&] {
    fs::create_directory(work / "tree");
    return work / "tree";
  }());

  std::vector<std::pair<std::string, Make>> methods{
      {"tree", [&] { return std::make_unique<Tree>(work / "tree"); }}};
  for (const DeliveryInfo& info : deliveries())
    if (!info.program_only) methods.emplace_back(info.name, info.make);

  std::optional<Display> display;
  if (app.ready == ReadyMark::first_window) display.emplace(Display::start());
  std::map<std::string, std::map<std::string, std::vector<double>>> all;
  std::map<std::string, std::vector<std::string>> order;
  for (int round = -1; round < rounds; ++round) {  // round -1 warms up
    const auto keep = [&](const std::string& variant, const Parts& parts) {
      if (round < 0) return;
      for (const auto& [part, value] : parts) {
        auto& values = all[variant][part];
        if (values.empty()) order[variant].push_back(part);
        values.push_back(value);
      }
    };
    // Each variant comes first, second and last equally often; a pause lets what the one before
    // left to the kernel (freeing its memory, its namespaces) finish.
    const std::size_t variants = methods.size() + 1;
    for (std::size_t i = 0; i < variants; ++i) {
      const std::size_t which = (i + static_cast<std::size_t>(round + 1)) % variants;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      Attempt attempt(app, display);
      if (which == 0) {
        keep("native", native(attempt, work / "tree"));
      } else {
        const auto& [method, make] = methods[which - 1];
        keep(method, confined(attempt, image, make));
      }
    }
  }
  for (const auto& [variant, parts] : order) {
    for (const std::string& part : parts) {
      std::vector<double> values = all[variant][part];
      std::printf("%-8s %-18s median %8.2f   min %8.2f\n", variant.c_str(), part.c_str(),
                  median(values), *std::min_element(values.begin(), values.end()));
    }
  }
  for (const auto& [method, make] : methods) {
    std::vector<double> differences = all[method]["total"];
    for (std::size_t i = 0; i < differences.size(); ++i)
      differences[i] -= all["native"]["total"][i];
    std::printf("%s minus native, same round: median %.1f ms, min %.1f, max %.1f\n", method.c_str(),
                median(differences), *std::min_element(differences.begin(), differences.end()),
                *std::max_element(differences.begin(), differences.end()));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string app = "gnumeric", root;
  int rounds = 7;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--app") app = argv[i + 1];
    if (flag == "--rounds") rounds = std::max(1, std::atoi(argv[i + 1]));
    if (flag == "--root") root = argv[i + 1];
  }
  try {
    return run(app, rounds, root);
  } catch (const missive::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.status());
  }
}
