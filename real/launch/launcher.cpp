#include "real/launch/launcher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "models/error.h"
#include "real/cache/client.h"
#include "real/cache/seals.h"
#include "real/fd.h"
#include "real/launch/background.h"
#include "real/launch/origin_image.h"
#include "real/launch/picoprocess.h"
#include "real/launch/ready_wait.h"
#include "real/launch/stopwatch.h"
#include "real/origin/boot_block.h"
#include "real/verify/block_tags.h"
#include "real/verify/block_verifier.h"
#include "real/verify/verifier.h"
#include "real/verify/version_store.h"
#include "real/zar/image.h"
#include "real/zar/recipe.h"

namespace missive::launch {

namespace {

std::string display_name(const Display* display) { return display ? display->name() : ""; }

class Launch {
 public:
  explicit Launch(const LaunchRequest& request)
      : request_(request), lazy_(verify::verification_mode(request.verification).lazy) {
    if (lazy_ && !delivery(request.delivery).lazy)
      throw InputError("delivery \"" + request.delivery +
                       "\" needs the whole image before the start: it cannot verify lazily");
    ready_.emplace(request.application, request.display);
    // Before the clock starts, as ready_: a launcher is resident.
    verify::prepare_verifiers();
    Picoprocess::prepare_program();
  }

  LaunchOutcome run() {
    Stopwatch watch;
    const auto block = origin::open_boot_block(request_.boot_block, request_.vendor, "boot block");
    expected_ = {block.image, block.shape, block.application, block.version};
    if (!request_.version_store.empty())
      verify::VersionStore(request_.version_store).admit(request_.vendor, expected_);
    create(watch);
    obtain(watch);
    verify_or_replace(watch);
    // Lazily only once all of it is known to be there.
    if (!lazy_) remember();
    boot(watch);
    if (lazy_) complete(watch);
    outcome_.records = watch.take();
    return std::move(outcome_);
  }

 private:
  void create(Stopwatch& watch) {
    process_.emplace(Picoprocess::create());
    watch.mark("create", Phase::create, Place::launcher);
    cloned_ns_ = measure::now_ns();
    const DeliveryInfo& info = delivery(request_.delivery);
    if (const auto why = info.unavailable_for(lazy_); !why.empty())
      throw NotAvailable("delivery " + info.name + (lazy_ ? ", lazily: " : ": ") + why);
    delivery_ = info.make();
    watch.mark("create.delivery", Phase::create, Place::launcher);
  }

  void remember() const {
    if (!request_.version_store.empty())
      verify::VersionStore(request_.version_store).remember(request_.vendor, expected_);
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
      if (lazy_)
        ask_for_digests();
      else if (request_.keyed)
        tag_ = cache_->get_tag(expected_.name);
      if (lazy_ || request_.keyed) watch.mark("tag_lookup", Phase::tag_lookup, Place::launcher);
    } catch (const RunError& e) {
      ask_origin(watch, std::string("the cache failed (") + e.what() + ")");
    }
  }

  // What single blocks are held against: their tags, or else the leaves of the tree.
  void ask_for_digests() {
    if (request_.keyed)
      tag_ = cache_->get_block_tags(expected_.name,
                                    verify::block_tags_bytes(expected_.shape.blocks()));
    if (!tag_) recipe_ = cache_->get_recipe(expected_.name, zar::recipe_bytes(expected_.shape));
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
      OriginImage image = image_from_origin(request_.origin_url, expected_.name, expected_.shape,
                                            request_.deadline);
      memory_ = std::move(image.memory);
      watch.mark("fetch.direct", Phase::fetch, Place::launcher, image.amounts);
    } catch (const Error& e) {
      throw RunError("cannot launch " + expected_.application + ": " + why +
                     ", and the origin failed too (" + e.what() + "); check that the origin at " +
                     request_.origin_url + " runs");
    }
    from_origin_ = true;
    lazy_ = false;  // every block was looked at on its way in
  }

  void verify_or_replace(Stopwatch& watch) {
    try {
      if (lazy_)
        verify_front(watch);
      else
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
    Amounts a = amounts_of(work);
    a[Amount::blocks_before_start] = expected_.shape.blocks();
    watch.mark("verify", Phase::verify, Place::launcher, a);
    if (fresh && cache_) {
      cache_->put_tag(expected_.name, fresh->bytes);
      watch.mark("tag_store", Phase::tag_store, Place::launcher);
    }
  }

  // Lazily: what single blocks are held against, and the blocks that hold the image's index.
  void verify_front(Stopwatch& watch) {
    const auto bytes = memory_.bytes();
    if (tag_) {
      try {
        blocks_ = verify::BlockVerifier::by_tags(bytes, expected_, request_.secret, {*tag_});
      } catch (const RunError& e) {
        outcome_.detours.push_back(std::string("the stored tags were refused (") + e.what() +
                                   "); checked by the Merkle tree");
        tag_.reset();
        recipe_ = cache_->get_recipe(expected_.name, zar::recipe_bytes(expected_.shape));
      }
    }
    if (!tag_) blocks_ = verify::BlockVerifier::by_tree(bytes, expected_, recipe_);
    blocks_->require(0, zar::Image::kHeaderBytes);
    blocks_->require(0, zar::Image::opened_bytes(bytes, "verified image"));
    front_ = amounts_of(blocks_->work());
    Amounts a = front_;
    a[Amount::blocks_before_start] = blocks_->accepted_blocks();
    watch.mark("verify", Phase::verify, Place::launcher, a);
  }

  static Amounts amounts_of(const verify::Work& work) {
    Amounts a;
    a[Amount::bytes_hashed] = work.bytes_hashed;
    a[Amount::blocks_hashed] = work.blocks_hashed;
    a[Amount::bytes_authenticated] = work.bytes_authenticated;
    return a;
  }

  void boot(Stopwatch& watch) {
    try {
      deliver_and_start(watch);
    } catch (const RunError&) {
      // A refused block is the reason behind whatever this says; complete() tells.
      if (lazy_ && !blocks_->failure().empty()) return;
      if (const std::string why = delivery_->failure(); !why.empty()) throw RunError(why);
      throw;
    }
  }

  void deliver_and_start(Stopwatch& watch) {
    image_.emplace(zar::Image::open(memory_.bytes(), "verified image"));
    Delivered delivered;
    const Environment environment = environment_of_application();
    const UniqueFd root = lazy_ ? delivery_->deliver_lazily(*image_, *blocks_, &delivered)
                                : delivery_->deliver(*image_, &delivered);
    const MappedProgram* const program = delivery_->program(environment);
    Amounts a;
    a[Amount::files_delivered] = delivered.files;
    a[Amount::bytes_delivered] = delivered.bytes;
    watch.mark("boot.deliver", Phase::boot, Place::launcher, a);
    if (lazy_) background_.emplace(*delivery_, *blocks_, expected_.shape.length, process_->pidfd());
    await_process(watch);
    start(watch, root, environment, program);
  }

  // It has prepared itself beside all the rest; what is left of that is waited for here.
  void await_process(Stopwatch& watch) {
    // On a busy machine it may be done before the launcher that made it runs again.
    const std::int64_t prepared = process_->prepared();
    watch.add_beside(std::min(cloned_ns_, prepared), prepared, "create.prepare", Phase::create,
                     Place::application);
  }

  Environment environment_of_application() const {
    Environment environment;
    environment.command = request_.application.command;
    environment.variables = environment_for(request_.application, display_name(request_.display));
    if (request_.display) environment.x11_socket = request_.display->socket();
    return environment;
  }

  void start(Stopwatch& watch, const UniqueFd& root, const Environment& environment,
             const MappedProgram* program) {
    process_->start(root, environment, ready_->output(), ready_->log(), program);
    ready_->started();
    watch.mark("boot.start", Phase::boot, Place::launcher);
    watch.mark_at(ready_->wait(request_.deadline, process_->pidfd()), "boot.application",
                  Phase::boot, Place::application);
    outcome_.served = delivery_->served();
  }

  // Lazily: the application is ready, and now all of its image is looked at. A launch that was
  // begun on bytes of which some are then refused is ended, and done again without the cache.
  void complete(Stopwatch& watch) {
    try {
      if (!background_) throw RunError(blocks_->failure());  // the program's own headers
      background_->finish();
    } catch (const RunError& e) {
      if (blocks_->failure().empty()) throw;
      start_again(watch, e.what());
      return;
    }
    Amounts rest = amounts_of(blocks_->work());
    for (const auto a : {Amount::bytes_hashed, Amount::blocks_hashed, Amount::bytes_authenticated})
      rest[a] -= front_[a];
    const auto add = [&](const Background::Span& span, const char* name, const Amounts& amounts) {
      watch.add(span.from, span.to, name, Phase::background, Place::launcher, amounts);
    };
    Amounts ahead;
    ahead[Amount::bytes_delivered] = background_->delivered();
    add(background_->ahead(), "background.ahead", ahead);
    add(background_->rest(), "background.verify", rest);
    remember();
    if (request_.keyed && !tag_) store_block_tags(watch);
  }

  // Every block has passed the tree, in memory that cannot change: the next launch needs the tags
  // alone.
  void store_block_tags(Stopwatch& watch) {
    const std::int64_t begun = measure::now_ns();
    verify::Work work;
    const auto record = verify::make_block_tags(memory_.bytes(), expected_, request_.secret, &work);
    try {
      cache_->put_block_tags(expected_.name, record.bytes);
    } catch (const RunError& e) {
      outcome_.detours.push_back(std::string("the cache failed (") + e.what() +
                                 "); without tags, the next launch checks the tree again");
    }
    watch.add(begun, measure::now_ns(), "background.tags", Phase::background, Place::launcher,
              amounts_of(work));
  }

  void start_again(Stopwatch& watch, const std::string& why) {
    background_.reset();
    process_.reset();  // before the delivery: its files go with the server
    delivery_.reset();
    blocks_.reset();
    image_.reset();
    ask_origin(watch, "the cache's image was refused, the application ended (" + why + ")");
    ready_.emplace(request_.application, request_.display);
    create(watch);
    verify(watch);
    remember();
    boot(watch);
  }

  const LaunchRequest& request_;
  bool lazy_;
  std::optional<ReadyWait> ready_;
  std::optional<cache::Client> cache_;
  verify::Expected expected_;
  std::optional<std::vector<std::byte>> tag_;  // eagerly of the image, lazily of its blocks
  std::vector<std::byte> recipe_;              // lazily, where there is no tag
  bool from_origin_ = false;
  Amounts front_;  // lazily: verified before the start
  LaunchOutcome outcome_;
  // Each outlives what stands below it: the memory the image, that the delivery which serves it,
  // and that the process whose files it serves.
  Mapping memory_;
  std::optional<zar::Image> image_;
  std::unique_ptr<verify::BlockVerifier> blocks_;
  std::unique_ptr<Delivery> delivery_;
  std::optional<Picoprocess> process_;
  std::int64_t cloned_ns_ = 0;
  std::optional<Background> background_;
};

}  // namespace

LaunchOutcome launch(const LaunchRequest& request) { return Launch(request).run(); }

}  // namespace missive::launch
