#include "real/launch/launcher.h"

#include <cstring>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/client.h"
#include "real/cache/seals.h"
#include "real/fd.h"
#include "real/launch/native.h"
#include "real/launch/picoprocess.h"
#include "real/measure/clock.h"
#include "real/origin/boot_block.h"
#include "real/origin/client.h"
#include "real/verify/verifier.h"
#include "real/verify/version_store.h"
#include "real/zar/image.h"

namespace missive::launch {

namespace {

using measure::now_ns;

// Cuts the launch into records without gaps.
class Stopwatch {
 public:
  Stopwatch() : zero_(now_ns()), last_(zero_) {}
  void mark(std::string step, Phase phase, Place place, const Amounts& amounts = {}) {
    mark_at(now_ns(), std::move(step), phase, place, amounts);
  }
  void mark_at(std::int64_t end, std::string step, Phase phase, Place place,
               const Amounts& amounts = {}) {
    records_.push_back(
        {std::move(step), phase, place, since_zero(last_), since_zero(end), amounts});
    last_ = end;
  }
  std::vector<Record> take() { return std::move(records_); }

 private:
  Picos since_zero(std::int64_t t) const { return std::chrono::nanoseconds(t - zero_); }
  std::int64_t zero_, last_;
  std::vector<Record> records_;
};

// Waits for the ready mark, whichever kind it is. Made before the clock starts: a launcher is
// resident.
class ReadyWait {
 public:
  ReadyWait(const Application& application, const Display* display) {
    if (application.ready == ReadyMark::first_window) {
      if (!display)
        throw RunError(application.name + ": its ready mark is a window, but there is no display");
      window_.emplace(*display);
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe for the application's output");
    read_.reset(ends[0]);
    write_.reset(ends[1]);
    log_.reset(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  }
  int output() const { return window_ ? log_.get() : write_.get(); }
  int log() const { return log_.get(); }
  // Nobody but the application holds the writing end from here on.
  void started() { write_.reset(); }
  std::int64_t wait(std::chrono::milliseconds deadline, int pidfd) {
    return window_ ? window_->wait(deadline, pidfd) : wait_for_output(read_.get(), deadline, pidfd);
  }

 private:
  std::optional<WindowWatcher> window_;
  UniqueFd read_, write_, log_;
};

std::string display_name(const Display* display) { return display ? display->name() : ""; }

class Launch {
 public:
  explicit Launch(const LaunchRequest& request)
      : request_(request), ready_(request.application, request.display) {
    verify::prepare_verifiers();  // before the clock starts, as ready_: a launcher is resident
  }

  LaunchOutcome run() {
    Stopwatch watch;
    const auto block = origin::open_boot_block(request_.boot_block, request_.vendor, "boot block");
    expected_ = {block.image, block.shape, block.application, block.version};
    if (!request_.version_store.empty())
      verify::VersionStore(request_.version_store).admit(request_.vendor, expected_);
    Picoprocess process = Picoprocess::create();
    delivery_ = make_delivery(request_.delivery);
    watch.mark("create", Phase::create, Place::launcher);
    obtain(watch);
    verify_or_replace(watch);
    if (!request_.version_store.empty())
      verify::VersionStore(request_.version_store).remember(request_.vendor, expected_);
    boot(watch, process);
    outcome_.records = watch.take();
    return std::move(outcome_);
  }

 private:
  static std::unique_ptr<Delivery> make_delivery(const std::string& name) {
    for (const auto& d : deliveries())
      if (d.name == name) {
        if (const auto why = d.unavailable(); !why.empty())
          throw NotAvailable("delivery " + name + ": " + why);
        return d.make();
      }
    throw InputError("delivery \"" + name + "\": no such method");
  }

  // lookup, fetch, assemble, map, tag_lookup: everything that asks the cache.
  void obtain(Stopwatch& watch) {
    try {
      cache_.emplace(cache::Client::connect(request_.cache_socket, request_.deadline));
      const auto found = cache_->lookup(expected_.name);
      watch.mark("lookup", Phase::lookup, Place::launcher);
      if (!found.assembled) {
        const auto fetched = cache_->fetch(expected_.name);
        Amounts a;
        a[Amount::bytes_fetched] = fetched.bytes_fetched;
        a[Amount::blocks_fetched] = fetched.blocks_fetched;
        watch.mark("fetch", Phase::fetch, Place::cache, a);
        const auto assembled = cache_->assemble(expected_.name);
        Amounts b;
        b[Amount::bytes_assembled] = assembled.bytes_assembled;
        watch.mark("assemble", Phase::assemble, Place::cache, b);
      }
      map(watch);
      if (request_.keyed) {
        tag_ = cache_->get_tag(expected_.name);
        watch.mark("tag_lookup", Phase::tag_lookup, Place::launcher);
      }
    } catch (const RunError& e) {
      ask_origin(watch, std::string("the cache failed (") + e.what() + ")");
    }
  }

  void map(Stopwatch& watch) {
    const std::uint64_t length = expected_.shape.length;
    Amounts a;
    if (request_.hand_over == HandOver::sealed) {
      const UniqueFd fd = cache_->get_sealed(expected_.name);
      cache::require_sealed(fd.get(), length, "image from the cache");
      memory_ = Mapping::read_only(fd.get(), length, "the image");
      a[Amount::bytes_mapped] = length;
    } else {
      memory_ = Mapping::anonymous(length, "the image");
      cache_->get_copy(expected_.name, memory_.writable());
      a[Amount::bytes_copied] = length;
    }
    watch.mark("map", Phase::map, Place::launcher, a);
  }

  // The bounded way out of every failure of the cache: all blocks from the vendor, checked one by
  // one.
  void ask_origin(Stopwatch& watch, const std::string& why) {
    outcome_.detours.push_back(why + "; the image came from the origin directly");
    cache_.reset();
    tag_.reset();
    try {
      origin::Client origin(request_.origin_url, request_.deadline);
      const auto recipe =
          zar::Recipe::parse(origin.get_recipe(expected_.name), "recipe from the origin");
      if (recipe.name() != expected_.name)
        throw RunError("the origin's recipe is not the signed image's");
      memory_ = Mapping::anonymous(expected_.shape.length, "the image");
      std::size_t at = 0;
      const auto into = memory_.writable();
      origin.get_blocks(expected_.name, recipe.leaves, recipe.shape.block_size,
                        [&](const zar::Digest&, std::span<const std::byte> block) {
                          std::memcpy(into.data() + at, block.data(), block.size());
                          at += block.size();
                        });
      Amounts a;
      a[Amount::bytes_fetched] = origin.bytes_received();
      a[Amount::blocks_fetched] = recipe.leaves.size();
      watch.mark("fetch.direct", Phase::fetch, Place::launcher, a);
    } catch (const Error& e) {
      throw RunError("cannot launch " + expected_.application + ": " + why +
                     ", and the origin failed too (" + e.what() + "); check that the origin at " +
                     request_.origin_url + " runs");
    }
    from_origin_ = true;
  }

  void verify_or_replace(Stopwatch& watch) {
    try {
      verify(watch);
    } catch (const RunError& e) {
      if (from_origin_) throw;
      ask_origin(watch, std::string("the cache's image was refused (") + e.what() + ")");
      verify(watch);
    }
  }

  void verify(Stopwatch& watch) {
    const auto bytes = memory_.bytes();
    verify::Work work;
    std::optional<verify::MacKey> key;
    if (request_.keyed) key = verify::mac_key(request_.secret, expected_.name, expected_.version);
    bool accepted = false;
    if (key && tag_) {
      try {
        work = verify::verify_tag(bytes, expected_, *key, {*tag_});
        accepted = true;
      } catch (const RunError& e) {
        outcome_.detours.push_back(std::string("the stored tag was refused (") + e.what() +
                                   "); checked by the Merkle tree");
      }
    }
    std::optional<verify::TagRecord> fresh;
    if (!accepted) {
      work = verify::verify_tree(bytes, expected_);
      if (key) {
        verify::Work more;
        fresh = verify::make_tag(bytes, expected_, *key, &more);
        work.bytes_authenticated += more.bytes_authenticated;
      }
    }
    Amounts a;
    a[Amount::bytes_hashed] = work.bytes_hashed;
    a[Amount::blocks_hashed] = work.blocks_hashed;
    a[Amount::bytes_authenticated] = work.bytes_authenticated;
    watch.mark("verify", Phase::verify, Place::launcher, a);
    if (fresh && cache_) {
      cache_->put_tag(expected_.name, fresh->bytes);
      watch.mark("tag_store", Phase::tag_store, Place::launcher);
    }
  }

  void boot(Stopwatch& watch, Picoprocess& process) {
    image_.emplace(zar::Image::open(memory_.bytes(), "verified image"));
    Delivered delivered;
    const UniqueFd root = delivery_->deliver(*image_, &delivered);
    Amounts a;
    a[Amount::files_delivered] = delivered.files;
    a[Amount::bytes_delivered] = delivered.bytes;
    watch.mark("boot.deliver", Phase::boot, Place::launcher, a);

    Environment environment;
    environment.command = request_.application.command;
    environment.variables = environment_for(request_.application, display_name(request_.display));
    if (request_.display) environment.x11_socket = request_.display->socket();
    process.start(root, environment, ready_.output(), ready_.log());
    ready_.started();
    watch.mark("boot.start", Phase::boot, Place::launcher);
    watch.mark_at(ready_.wait(request_.deadline, process.pidfd()), "boot.application", Phase::boot,
                  Place::application);
    outcome_.served = delivery_->served();
  }

  const LaunchRequest& request_;
  ReadyWait ready_;
  // The image outlives the delivery that serves it, and the memory outlives the image.
  Mapping memory_;
  std::optional<zar::Image> image_;
  std::unique_ptr<Delivery> delivery_;
  std::optional<cache::Client> cache_;
  verify::Expected expected_;
  std::optional<std::vector<std::byte>> tag_;
  bool from_origin_ = false;
  LaunchOutcome outcome_;
};

}  // namespace

LaunchOutcome launch(const LaunchRequest& request) { return Launch(request).run(); }

LaunchOutcome launch_native(const Application& application, const std::filesystem::path& tree,
                            const Display* display, std::chrono::milliseconds deadline) {
  ReadyWait ready(application, display);
  Environment environment;
  environment.command = application.command;
  environment.variables = environment_for(application, display_name(display));
  NativeTwin twin =
      NativeTwin::prepare(tree, display ? display->socket() : std::filesystem::path());
  Stopwatch watch;
  twin.start(environment, ready.output(), ready.log());
  ready.started();
  watch.mark_at(ready.wait(deadline, twin.pidfd()), "boot.application", Phase::boot,
                Place::application);
  LaunchOutcome outcome;
  outcome.records = watch.take();
  return outcome;
}

}  // namespace missive::launch
