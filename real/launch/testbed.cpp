#include "real/launch/testbed.h"

#include <unordered_set>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/store.h"
#include "real/launch/ahead.h"
#include "real/launch/image_tree.h"
#include "real/launch/launch_runs.h"
#include "real/launch/outcome_json.h"
#include "real/launch/picoprocess.h"
#include "real/launch/reader.h"
#include "real/process.h"
#include "real/zar/extract.h"
#include "real/zar/image.h"

namespace missive::launch {

namespace fs = std::filesystem;

ImageFacts image_facts(const zar::Image& image, const zar::BuildReport& report) {
  ImageFacts facts;
  const auto& shape = report.recipe.shape;
  facts.length = {shape.length};
  facts.block_size = shape.block_size;
  facts.blocks = shape.blocks();
  facts.recipe = {report.recipe.serialize().size()};
  // Every digest but the root is input of one inner hash.
  for (std::uint64_t n = shape.blocks(); n > 1; n = (n + shape.degree - 1) / shape.degree)
    facts.nodes += {n * sizeof(zar::Digest)};
  facts.files = report.files;
  facts.content = {report.content_bytes};
  facts.nodes_other = report.directories + report.symlinks;
  facts.symlinks = report.symlinks;
  const auto runs = coalesced_runs(image);
  facts.runs = runs.size();
  facts.run_bytes = {launch_run_bytes(image)};
  const ImageTree tree(image);
  const Ways ways = plan_ways(tree);
  facts.directories = ways.directories.size();
  facts.listed = entries_listed(tree, ways);
  facts.links = ways.links.size();
  const auto blocks = blocks_at_start(image);
  facts.front_blocks = blocks.front;
  facts.run_blocks = blocks.runs;
  facts.pieces = runs_by_touch(image).size();
  return facts;
}

std::uint64_t missing_blocks(const zar::Recipe& recipe, const zar::Recipe* held) {
  std::unordered_set<zar::Digest> wanted(recipe.leaves.begin(), recipe.leaves.end());
  if (held)
    for (const auto& leaf : held->leaves) wanted.erase(leaf);
  return wanted.size();
}

namespace {

// The warm cache's store: every block of the other application.
void fill_store(const fs::path& directory, const zar::Recipe& recipe, const fs::path& image_file) {
  const UniqueFd fd(::open(image_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(image_file.string());
  const Mapping image = Mapping::read_only(fd.get(), recipe.shape.length, image_file.string());
  cache::Store store(directory, {});
  const std::size_t size = recipe.shape.block_size;
  for (std::size_t i = 0; i < recipe.leaves.size(); ++i)
    if (!store.contains(recipe.leaves[i]))
      store.put(recipe.leaves[i], image.bytes().subspan(i * size, size));
}

// What a child says of its launch; a launch that did not go as planned is no sample.
LaunchOutcome planned_outcome(const std::string& message, const std::string& what) {
  LaunchOutcome outcome = decode_outcome(message);
  if (!outcome.detours.empty()) throw RunError(what + ": " + outcome.detours.front());
  return outcome;
}

}  // namespace

Testbed::Testbed(TestbedOptions options)
    : options_(std::move(options)), scratch_(measure::scratch_parent()) {
  const Application& app = options_.application;
  // Making a root wants the user's own rights (mmdebstrap has its ways without root); the rest
  // wants the right to mount.
  root_of(app, scratch_.path());
  root_of(options_.warm_with, scratch_.path());
  gain_mount_rights();
  packed_ = pack(app);
  const auto& recipe = packed_.report.recipe;
  {
    const UniqueFd fd(::open(packed_.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw_errno(packed_.file.string());
    const Mapping memory = Mapping::read_only(fd.get(), recipe.shape.length, packed_.file.string());
    const zar::Image image = zar::Image::open(memory.bytes(), packed_.file.string());
    facts_ = image_facts(image, packed_.report);
    tree_ = scratch_.path() / "tree";
    fs::create_directory(tree_);
    zar::extract(image, tree_);
  }
  const LaunchTrace trace = trace_of(app);
  application_facts_.lookups = trace.missing_until_ready;

  warm_packed_ = options_.warm_with.name == app.name ? packed_ : pack(options_.warm_with);
  warm_missing_ = missing_blocks(recipe, &warm_packed_.report.recipe);

  // The vendor signs and goes: the cache is a fork of this process and must not find the key in its
  // memory.
  origin::SigningKey key = origin::make_signing_key();
  vendor_ = origin::public_key(key);
  boot_block_ = origin::sign({app.name, 1, packed_.report.name, recipe.shape}, key);
  ::OPENSSL_cleanse(key.seed.data(), key.seed.size());
  origin_ = std::make_unique<origin::OriginProcess>(
      std::vector<origin::Publication>{{app.name, packed_.file, recipe, boot_block_}});
  if (app.ready == ReadyMark::first_window) display_ = std::make_unique<Display>(Display::start());
}

Testbed::~Testbed() = default;

Testbed::Packed Testbed::pack(const Application& app) {
  const fs::path root = root_of(app, scratch_.path());
  options_.progress("packing the image of " + app.name);
  const LaunchTrace trace = trace_of(app);
  Packed packed;
  packed.file = scratch_.path() / (app.name + ".zar");
  packed.report = zar::build(root, trace.selection, options_.image, packed.file);
  if (!packed.report.missing.empty())
    options_.progress(app.name + ": " + std::to_string(packed.report.missing.size()) + " of " +
                      std::to_string(trace.selection.files.size()) +
                      " files of the recorded start are not in its root, first " +
                      packed.report.missing.front() + "; record it again with: missive-sim trace " +
                      app.name);
  return packed;
}

std::uint64_t Testbed::missing(Temperature temperature) const {
  switch (temperature) {
    case Temperature::cold:
      return missing_blocks(packed_.report.recipe, nullptr);
    case Temperature::warm:
      return warm_missing_;
    case Temperature::hot:
      return 0;
  }
  throw std::logic_error("temperature");
}

std::unique_ptr<cache::CacheProcess> Testbed::start_cache(const fs::path& store) {
  cache::CacheProcess::Options options;
  options.socket = scratch_.path() / ("cache-" + std::to_string(++caches_) + ".socket");
  options.store = store;
  options.server.service.origin_url = origin_->url();
  return std::make_unique<cache::CacheProcess>(options);
}

LaunchRequest Testbed::request(const LaunchVariant& variant) const {
  LaunchRequest r;
  r.application = options_.application;
  r.boot_block = boot_block_;
  r.vendor = vendor_;
  r.origin_url = origin_->url();
  r.version_store = scratch_.path() / "versions";
  r.keyed = variant.keyed;
  r.verification = variant.verification;
  r.delivery = variant.delivery;
  r.hand_over = variant.hand_over;
  r.deadline = options_.deadline;
  r.display = display_.get();
  return r;
}

// In the launching child alone: origin and caches are forks of this process and must not find a
// secret in its memory.
verify::ApplicationSecret Testbed::secret() const {
  const auto master = verify::load_or_create_master_key(scratch_.path() / "master.key");
  return verify::application_secret(master, vendor_);
}

LaunchOutcome Testbed::in_child(const std::function<LaunchOutcome()>& work,
                                const std::string& what) {
  return planned_outcome(run_in_child([&] { return encode(work()); }, options_.deadline * 4, what),
                         what);
}

LaunchOutcome Testbed::launch_with_secret(LaunchRequest request) const {
  request.secret = secret();
  return launch::launch(request);
}

LaunchOutcome Testbed::launch_in_child(const LaunchRequest& request, const std::string& what) {
  return in_child([&] { return launch_with_secret(request); }, what);
}

// A cache that has launched the image before, in the mode asked for: each leaves tags of its own.
cache::CacheProcess& Testbed::hot_cache(const LaunchVariant& variant) {
  const auto prepare = [&](const cache::CacheProcess& cache, const std::string& verification) {
    LaunchVariant before = variant;
    before.keyed = true;
    before.hand_over = HandOver::sealed;
    before.verification = verification;
    LaunchRequest first = request(before);
    first.cache_socket = cache.socket();
    launch_in_child(first, "first launch of " + options_.application.name);
  };
  if (!hot_cache_) {
    auto cache = start_cache(scratch_.path() / ("hot-" + std::to_string(caches_ + 1)));
    prepare(*cache, "eager");
    hot_cache_ = std::move(cache);
  }
  if (!hot_block_tags_ && verify::verification_mode(variant.verification).lazy) {
    prepare(*hot_cache_, variant.verification);
    hot_block_tags_ = true;
  }
  return *hot_cache_;
}

LaunchOutcome Testbed::launch(const LaunchVariant& variant) {
  LaunchRequest r = request(variant);
  const std::string what =
      options_.application.name + ", " + to_string(variant.temperature) + " launch";
  if (variant.temperature == Temperature::hot) {
    r.cache_socket = hot_cache(variant).socket();
    return launch_in_child(r, what);
  }
  const fs::path store = scratch_.path() / ("store-" + std::to_string(caches_ + 1));
  if (variant.temperature == Temperature::warm)
    fill_store(store, warm_packed_.report.recipe, warm_packed_.file);
  LaunchOutcome outcome;
  {
    const auto cache = start_cache(store);
    r.cache_socket = cache->socket();
    outcome = launch_in_child(r, what);
  }
  fs::remove_all(store);
  return outcome;
}

std::vector<LaunchOutcome> Testbed::launch_together(const LaunchVariant& variant,
                                                    std::size_t count) {
  if (variant.temperature != Temperature::hot)
    throw InputError("launches together: only from a hot cache; ask for temperature hot");
  LaunchRequest common = request(variant);
  common.cache_socket = hot_cache(variant).socket();
  std::vector<Display> displays;
  if (display_) {
    displays.reserve(count);
    for (std::size_t i = 0; i < count; ++i) displays.push_back(Display::start());
  }
  std::vector<ChildWork> works;
  works.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    LaunchRequest own = common;
    if (display_) own.display = &displays[i];
    works.push_back(
        {[this, own] { return encode(launch_with_secret(own)); },
         fmt::format("{}, hot launch {} of several at once", options_.application.name, i + 1)});
  }
  std::vector<LaunchOutcome> outcomes;
  outcomes.reserve(count);
  for (const std::string& message : run_in_children(works, options_.deadline * 4))
    outcomes.push_back(planned_outcome(message, works[outcomes.size()].what));
  return outcomes;
}

LaunchOutcome Testbed::native() {
  return in_child(
      [&] { return launch_native(options_.application, tree_, display_.get(), options_.deadline); },
      "native start of " + options_.application.name);
}

}  // namespace missive::launch
