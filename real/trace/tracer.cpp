#include "real/trace/tracer.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "models/error.h"
#include "real/launch/picoprocess.h"
#include "real/launch/ready.h"
#include "real/trace/passthrough.h"

namespace missive::trace {

namespace fs = std::filesystem;
using launch::Application;
using launch::ReadyMark;

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::int64_t kWindowUs = 100'000;  // look-ups are counted per 100 ms

struct FileFacts {
  std::uint64_t size = 0;
  std::string digest;  // first 8 bytes of SHA-256, hexadecimal
};

FileFacts facts(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  if (!in || context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    throw RunError("cannot read the traced file " + file.string());
  }
  FileFacts result;
  std::array<char, 65536> part;
  while (in.read(part.data(), part.size()), in.gcount() > 0) {
    EVP_DigestUpdate(context.get(), part.data(), static_cast<std::size_t>(in.gcount()));
    result.size += static_cast<std::uint64_t>(in.gcount());
  }
  if (in.bad()) throw RunError("cannot read the traced file " + file.string());
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  for (std::size_t i = 0; i < 8; ++i) result.digest += fmt::format("{:02x}", digest[i]);
  return result;
}

// The events after `start` as lines O, R and S of the format. Pages count at their first touch.
class Writer {
 public:
  explicit Writer(std::int64_t start) : start_(start) {}

  void add(const Event& event) {
    const std::int64_t us = std::max<std::int64_t>(0, (event.at_ns - start_) / 1000);
    switch (event.kind) {
      case Event::Kind::found:
        count(us, 1, 0);
        break;
      case Event::Kind::missing:
        count(us, 0, 1);
        break;
      case Event::Kind::open:
        text_ += fmt::format("O\t{}\t{}\n", us, event.file);
        break;
      case Event::Kind::read:
        read(us, event);
        break;
    }
  }

  // All lines; `pages` gets the number of pages touched.
  std::string finish(std::uint64_t* pages) {
    flush_count();
    *pages = touched_.size();
    return std::move(text_);
  }

 private:
  void read(std::int64_t us, const Event& event) {
    const std::uint64_t end = (event.offset + event.length + kPage - 1) / kPage;
    std::uint64_t first = 0, pages = 0;
    const auto write = [&] {
      if (pages > 0) text_ += fmt::format("R\t{}\t{}\t{}\t{}\n", us, event.file, first, pages);
      pages = 0;
    };
    for (std::uint64_t page = event.offset / kPage; page < end; ++page) {
      if (!touched_.insert({event.file, page}).second) {
        write();
      } else if (pages++ == 0) {
        first = page;
      }
    }
    write();
  }

  void count(std::int64_t us, int found, int missing) {
    if (us / kWindowUs != window_) flush_count();
    window_ = us / kWindowUs;
    last_ = us;
    found_ += found;
    missing_ += missing;
  }

  void flush_count() {
    if (found_ + missing_ > 0) text_ += fmt::format("S\t{}\t{}\t{}\n", last_, found_, missing_);
    found_ = missing_ = 0;
  }

  std::int64_t start_;
  std::string text_;
  std::set<std::pair<std::uint32_t, std::uint64_t>> touched_;
  std::int64_t window_ = 0, last_ = 0;
  std::uint64_t found_ = 0, missing_ = 0;
};

// Under a temporary name until it is complete.
void write_gzip(const fs::path& out, const std::string& text) {
  const fs::path temporary = out.string() + ".new";
  // No time and no name in the header (level 9, plain stream): the same trace is the same file.
  const gzFile file = ::gzopen(temporary.c_str(), "wbe9");
  if (file == nullptr) throw_errno("cannot write " + temporary.string());
  const bool written = ::gzwrite(file, text.data(), static_cast<unsigned>(text.size())) ==
                       static_cast<int>(text.size());
  const bool closed = ::gzclose(file) == Z_OK;
  std::error_code error;
  if (written && closed) fs::rename(temporary, out, error);
  if (!written || !closed || error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw RunError("cannot write " + out.string() + "; is the disk full?");
  }
}

struct Run {
  Log log;
  std::int64_t start_ns = 0, ready_ns = 0;
};

Run run(const Application& application, const fs::path& root, const Options& options) {
  std::optional<launch::Display> display;
  std::optional<launch::WindowWatcher> watcher;
  if (application.ready == ReadyMark::first_window) {
    display.emplace(launch::Display::start());
    watcher.emplace(*display);
  }
  Passthrough passthrough(root);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot trace: pipe");
  const UniqueFd output(ends[0]);
  UniqueFd inside(ends[1]);
  const UniqueFd log(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  launch::Environment environment{
      application.command,
      launch::environment_for(application, display ? display->name() : std::string()),
      display ? display->socket() : fs::path()};
  launch::Picoprocess process = launch::Picoprocess::create();
  process.prepared();
  Run result;
  result.start_ns = std::chrono::steady_clock::now().time_since_epoch().count();
  process.start(passthrough.mount(), environment, inside.get(), log.get());
  inside.reset();
  result.ready_ns = watcher
                        ? watcher->wait(options.deadline, process.pidfd())
                        : launch::wait_for_output(output.get(), options.deadline, process.pidfd());
  // What comes after the ready mark: until the application ends, at most `settle`.
  const auto end = std::chrono::steady_clock::now() + options.settle;
  while (process.running() && std::chrono::steady_clock::now() < end) {
    std::array<char, 4096> rest;
    pollfd source{output.get(), POLLIN, 0};
    // Its output is drained, so that it never blocks on a full pipe.
    if (::poll(&source, 1, 50) > 0 && ::read(output.get(), rest.data(), rest.size()) <= 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  result.log = passthrough.log();
  return result;
}

}  // namespace

Recorded record_trace(const Application& application, const fs::path& root, const fs::path& out,
                      const Options& options) {
  const Run traced = run(application, root, options);
  utsname system{};
  ::uname(&system);
  Recorded recorded;
  recorded.files = traced.log.files.size();
  recorded.ready = std::chrono::nanoseconds(traced.ready_ns - traced.start_ns);
  const auto ready_us = (traced.ready_ns - traced.start_ns) / 1000;
  const bool window = application.ready == ReadyMark::first_window;
  std::string text = fmt::format(
      "# app={} kernel={} {}={} page=4096 digest=sha256/64 method=fuse-noreadahead\n",
      application.name, system.release, window ? "first_window_us" : "first_output_us", ready_us);
  for (std::size_t i = 0; i < traced.log.files.size(); ++i) {
    const std::string& path = traced.log.files[i];
    const FileFacts file = facts(root / path.substr(1));
    recorded.bytes += file.size;
    text += fmt::format("F\t{}\t{}\t{}\t-\t{}\n", i, file.size, file.digest, path);
  }
  Writer writer(traced.start_ns);
  for (const Event& event : traced.log.events) writer.add(event);
  text += writer.finish(&recorded.pages_touched);
  text += fmt::format("E\t{}\t{}\n", ready_us, window ? "first-window" : "first-output");
  write_gzip(out, text);
  return recorded;
}

}  // namespace missive::trace
