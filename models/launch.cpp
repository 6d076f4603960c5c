#include "models/launch.h"

#include <algorithm>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "models/delivery.h"
#include "models/launch_steps.h"

namespace missive {

namespace {

constexpr std::uint64_t kDigestBytes = 32;
constexpr std::uint64_t kSingleBlock = 65536;  // from here on blocks are hashed one by one
// Lazily the launch runs come in so many parts at most, each with its own time to be needed.
constexpr std::uint64_t kParts = 64;
void fetch(Chain& chain, const LaunchScenario& s) {
  // TCP's handshake (RFC 9293, section 3.5) takes one round trip before anything is asked for.
  Step connect = step("fetch.connect", Phase::fetch, Place::cache, {calls("fetch")});
  connect.transfer = Transfer{s.origin_link, {}};
  chain.then(std::move(connect));
  Step accept = step("fetch.connect.accept", Phase::fetch, Place::origin, {});
  accept.transfer = Transfer{s.origin_link, {}};
  chain.then(std::move(accept));

  Step ask = step("fetch.recipe.request", Phase::fetch, Place::cache, {});
  ask.transfer = Transfer{s.origin_link, {}};
  chain.then(std::move(ask));

  Step recipe = step("fetch.recipe", Phase::fetch, Place::origin, {});
  recipe.transfer = Transfer{s.origin_link, s.image.recipe};
  recipe.amounts[Amount::bytes_fetched] = s.image.recipe.count;
  Step check =
      step("fetch.recipe.check", Phase::fetch, Place::cache,
           {{"sha256_blocks", 0, s.image.nodes, 0}, items("store_lookup", s.image.blocks)});
  chain.then_together(std::move(recipe), std::move(check));

  for (std::uint64_t done = 0, batch = 0; done < s.missing_blocks; ++batch) {
    const std::uint64_t n = std::min(s.batch_blocks, s.missing_blocks - done);
    const Bytes bytes{n * s.image.block_size};
    const std::string name = "fetch.blocks." + std::to_string(batch);
    Step request = step(name + ".request", Phase::fetch, Place::cache, {});
    request.transfer = Transfer{s.origin_link, {n * kDigestBytes}};
    chain.then(std::move(request));

    // The body streams: what has arrived is checked and stored while the rest is on its way.
    Step body = step(name, Phase::fetch, Place::origin, {});
    body.transfer = Transfer{s.origin_link, bytes};
    body.amounts[Amount::bytes_fetched] = bytes.count;
    body.amounts[Amount::blocks_fetched] = n;
    Step keep = step(name + ".keep", Phase::fetch, Place::cache, {{"fetch", 0, bytes, n}});
    chain.then_together(std::move(body), std::move(keep));
    done += n;
  }
}

// Bytes on the wire of what single blocks are held against (docs/zarfile-format.md).
Bytes block_tags(const LaunchScenario& s) { return {80 + 16 * s.image.blocks}; }
Bytes leaves(const LaunchScenario& s) { return {32 + kDigestBytes * s.image.blocks}; }

// Whether single blocks are held against tags of this host; else against the tree.
bool tagged(const LaunchScenario& s) { return s.keyed && s.temperature == Temperature::hot; }

void look_up_tags(Chain& chain, const LaunchScenario& s) {
  if (!s.keyed && !s.lazy) return;
  Step ask = step("tag_lookup", Phase::tag_lookup, Place::launcher, {});
  if (!s.lazy) {
    ask.demands = {calls("unix_round_trip")};
  } else {
    // On first sight a keyed launcher asks for tags in vain.
    ask.demands = {calls("unix_round_trip", s.keyed && !tagged(s) ? 2 : 1),
                   {"hand_over_copy", 0, tagged(s) ? block_tags(s) : leaves(s), 0}};
  }
  chain.then(std::move(ask));
}

// One look at so many blocks, for the first time.
void check_blocks(Step& at, const LaunchScenario& s, std::uint64_t blocks) {
  const Bytes bytes{blocks * s.image.block_size};
  if (s.hand_over == HandOver::sealed) at.demands.push_back({"map_touch", 0, bytes, 0});
  if (tagged(s)) {
    at.demands.push_back({"block_tag", 0, bytes, blocks});
    at.amounts[Amount::bytes_authenticated] += bytes.count;
  } else {
    const bool many_at_once = s.image.block_size < kSingleBlock;
    at.demands.push_back({many_at_once ? "sha256_leaves" : "sha256_blocks", 0, bytes, blocks});
    at.amounts[Amount::bytes_hashed] += bytes.count;
    at.amounts[Amount::blocks_hashed] += blocks;
  }
}

void verify_front(Chain& chain, const LaunchScenario& s) {
  Step front = step("verify", Phase::verify, Place::launcher, {});
  if (tagged(s))
    front.demands = {calls("block_verifier"), {"gmac", 0, block_tags(s), 0}};
  else
    front.demands.push_back({"sha256_blocks", 0, s.image.nodes, 0});
  check_blocks(front, s, s.image.front_blocks);
  front.amounts[Amount::blocks_before_start] = s.image.front_blocks;
  chain.then(std::move(front));
}

void verify(Chain& chain, const LaunchScenario& s) {
  if (s.lazy) return verify_front(chain, s);
  const bool first_sight = s.temperature != Temperature::hot;
  const Bytes length = s.image.length;
  Step v = step("verify", Phase::verify, Place::launcher, {});
  // Copied memory was touched when it was filled; mapped memory faults at its first reading.
  if (s.hand_over == HandOver::sealed) v.demands.push_back({"map_touch", 0, length, 0});
  if (!s.keyed || first_sight) {
    // Multi-buffer SHA-256 takes messages below 64 KiB
    // (real/verify/algorithms/multi_buffer_jobs.h).
    const bool many_at_once = s.image.block_size < kSingleBlock;
    v.demands.push_back(
        {many_at_once ? "sha256_leaves" : "sha256_blocks", 0, length, s.image.blocks});
    v.demands.push_back({"sha256_blocks", 0, s.image.nodes, 0});
    v.amounts[Amount::bytes_hashed] = length.count;
    v.amounts[Amount::blocks_hashed] = s.image.blocks;
  }
  if (s.keyed) {
    v.demands.push_back({"gmac", 1, length, 0});
    v.amounts[Amount::bytes_authenticated] = length.count;
  }
  v.amounts[Amount::blocks_before_start] = s.image.blocks;
  chain.then(std::move(v));
  if (s.keyed && first_sight)
    chain.then(step("tag_store", Phase::tag_store, Place::launcher, {calls("tag_put")}));
}

// Adds what a delivery asks for, if it does.
template <class Of>
void add(Step& to, Demands (*demands)(Of), std::type_identity_t<Of> of) {
  if (!demands) return;
  for (Demand& each : demands(of)) to.demands.push_back(std::move(each));
}

std::vector<LaunchPart> parts_of(const LaunchScenario& s) {
  const std::uint64_t n = std::clamp<std::uint64_t>(s.image.pieces, 1, kParts);
  std::vector<LaunchPart> parts(n);
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto share = [&](std::uint64_t all) { return all * (i + 1) / n - all * i / n; };
    LaunchPart& part = parts[i];
    part.name = "runs." + std::to_string(i);
    part.image.block_size = s.image.block_size;
    part.image.directories = share(s.image.directories);
    part.image.listed = share(s.image.listed);
    part.image.links = share(s.image.links);
    part.image.pieces = share(s.image.pieces);
    part.image.run_bytes = {share(s.image.run_bytes.count)};
    part.image.run_blocks = share(s.image.run_blocks);
    part.lookups = share(s.application.lookups);
    part.millionths = share(1'000'000);
  }
  return parts;
}

// The thread behind the start puts one part ahead: real/launch/background.h. Names it puts ahead
// whoever brings the pages.
StepId put_ahead(Plan& plan, const LaunchScenario& s, const LaunchPart& part, StepId after) {
  const DeliveryModel::Lazy& lazy = delivery_model(s.delivery).lazy;
  if (lazy.names) {
    Step names =
        step("background.names." + part.name, Phase::background, Place::launcher, lazy.names(part));
    names.after = {after};
    after = plan.add(std::move(names));
  }
  Step ahead = step("background.ahead." + part.name, Phase::background, Place::launcher, {});
  check_blocks(ahead, s, part.image.run_blocks);
  ahead.amounts = {};  // the file server may be the one to check them; see the rest
  ahead.demands.push_back(lazy.ahead(part));
  ahead.amounts[Amount::bytes_delivered] = part.image.run_bytes.count;
  ahead.once = part.name;
  ahead.after = {after};
  return plan.add(std::move(ahead));
}

// The application needs one part, and goes on. Where the thread behind it has not begun with it,
// the application's own page faults bring it through the file server, or by the handler of them.
StepId read_part(Plan& plan, const LaunchScenario& s, const LaunchPart& part, StepId after) {
  const DeliveryModel& delivery = delivery_model(s.delivery);
  Step read = step("boot.application.read." + part.name, Phase::boot, Place::application, {});
  read.demands.push_back(delivery.lazy.on_fault(part));
  check_blocks(read, s, part.image.run_blocks);
  read.amounts = {};
  read.once = part.name;
  read.after = {after};
  Step own = step("boot.application." + part.name, Phase::boot, Place::application,
                  {items("native_ready", part.millionths)});
  add(own, delivery.look_up, part.lookups);
  own.after = {plan.add(std::move(read))};
  return plan.add(std::move(own));
}

void verify_rest(Chain& chain, const LaunchScenario& s) {
  const ImageFacts& image = s.image;
  Step rest = step("background.verify", Phase::background, Place::launcher, {});
  Step all = rest;
  check_blocks(rest, s, image.blocks - image.front_blocks - image.run_blocks);
  check_blocks(all, s, image.blocks - image.front_blocks);
  rest.amounts = all.amounts;
  chain.then(std::move(rest));
  if (!s.keyed || tagged(s)) return;
  Step tags = step("background.tags", Phase::background, Place::launcher,
                   {{"block_tag", 0, image.length, image.blocks}, calls("unix_round_trip")});
  tags.amounts[Amount::bytes_authenticated] = image.length.count;
  chain.then(std::move(tags));
}

Step start_process() {
  return step("boot.start", Phase::boot, Place::launcher, {calls("picoprocess_start")});
}

void start(Chain& chain, const LaunchScenario& s) {
  chain.then(start_process());
  Step own = step("boot.application", Phase::boot, Place::application, {calls("native_ready")});
  add(own, delivery_model(s.delivery).look_up, s.application.lookups);
  chain.then(std::move(own));
}

// The start, and the thread behind it: whichever of the two comes to a part first brings it.
void start_lazily(Plan& plan, Chain& chain, const LaunchScenario& s, StepId process) {
  Step way = step("background.plan", Phase::background, Place::launcher, {});
  add(way, delivery_model(s.delivery).lazy.plan, s.image);
  StepId ahead = chain.beside(std::move(way));
  chain.join(process);
  StepId application = chain.then(start_process());
  for (const LaunchPart& part : parts_of(s)) {
    ahead = put_ahead(plan, s, part, ahead);
    application = read_part(plan, s, part, application);
  }
  chain.go_on_after({application, ahead});
}

// `process`: its own preparation, for which the start waits.
void boot(Plan& plan, Chain& chain, const LaunchScenario& s, StepId process) {
  const ImageFacts& image = s.image;
  Step deliver = step("boot.deliver", Phase::boot, Place::launcher,
                      {{"image_open", 1, {}, image.files + image.nodes_other}});
  deliver.amounts[Amount::files_delivered] = image.files;
  delivery_model(s.delivery).deliver(deliver, s);
  chain.then(std::move(deliver));
  if (!s.lazy) {
    chain.join(process);
    return start(chain, s);
  }
  start_lazily(plan, chain, s, process);
  verify_rest(chain, s);
}

void check(const LaunchScenario& s) {
  if (s.lazy && !delivery_model(s.delivery).can_be_lazy())
    throw std::invalid_argument("launch: delivery " + s.delivery +
                                " needs the whole image before the start; it cannot be lazy");
  if (s.image.front_blocks + s.image.run_blocks > s.image.blocks)
    throw std::invalid_argument("launch: more blocks at the start than the image has");
  if (s.image.block_size == 0 || s.image.length.count != s.image.blocks * s.image.block_size)
    throw std::invalid_argument("launch: image length is not blocks times block size");
  if (s.temperature == Temperature::hot && s.missing_blocks != 0)
    throw std::invalid_argument("launch: a hot cache lacks no blocks");
  if (s.missing_blocks > s.image.blocks)
    throw std::invalid_argument("launch: more blocks missing than the image has");
  if (s.batch_blocks == 0) throw std::invalid_argument("launch: a batch holds at least one block");
}

}  // namespace

std::string to_string(Temperature t) {
  switch (t) {
    case Temperature::cold:
      return "cold";
    case Temperature::warm:
      return "warm";
    case Temperature::hot:
      return "hot";
  }
  throw std::logic_error("temperature");
}

std::string to_string(HandOver h) { return h == HandOver::sealed ? "sealed" : "copy"; }

Temperature parse_temperature(const std::string& text) {
  for (const auto t : {Temperature::cold, Temperature::warm, Temperature::hot})
    if (text == to_string(t)) return t;
  throw std::invalid_argument("\"" + text + "\" is no temperature; there are cold, warm and hot");
}

HandOver parse_hand_over(const std::string& text) {
  for (const auto h : {HandOver::sealed, HandOver::copy})
    if (text == to_string(h)) return h;
  throw std::invalid_argument("\"" + text + "\" is no hand-over; there are sealed and copy");
}

Plan plan_launch(const LaunchScenario& s) {
  check(s);
  Plan plan;
  Chain chain(plan);
  chain.then(step("create", Phase::create, Place::launcher,
                  {calls("boot_block_check"), calls("picoprocess_create")}));
  const StepId process = chain.beside(
      step("create.prepare", Phase::create, Place::application, {calls("picoprocess_prepare")}));
  Step delivery = step("create.delivery", Phase::create, Place::launcher, {});
  if (const auto prepare = delivery_model(s.delivery).prepare) delivery.demands = prepare();
  chain.then(std::move(delivery));
  chain.then(step("lookup", Phase::lookup, Place::launcher, {calls("unix_connect")}));
  if (s.temperature != Temperature::hot) {
    fetch(chain, s);
    Step assemble =
        step("assemble", Phase::assemble, Place::cache, {{"assemble", 1, s.image.length, 0}});
    assemble.amounts[Amount::bytes_assembled] = s.image.length.count;
    chain.then(std::move(assemble));
  }
  Step map = step("map", Phase::map, Place::launcher, {});
  if (s.hand_over == HandOver::sealed) {
    map.demands = {
        calls(s.temperature == Temperature::hot ? "hand_over_sealed" : "hand_over_assembled")};
    map.amounts[Amount::bytes_mapped] = s.image.length.count;
  } else {
    map.demands = {{"hand_over_copy", 1, s.image.length, 0}};
    map.amounts[Amount::bytes_copied] = s.image.length.count;
  }
  chain.then(std::move(map));
  look_up_tags(chain, s);
  verify(chain, s);
  boot(plan, chain, s, process);
  return plan;
}

Plan plan_native() {
  Plan plan;
  plan.add(step("boot.application", Phase::boot, Place::application, {calls("native_ready")}));
  return plan;
}

}  // namespace missive
