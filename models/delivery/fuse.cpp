// A file server over the image. Eagerly the names and pages of the recorded start are put into the
// kernel's caches before it; lazily a thread behind the application does so.

#include "models/delivery/list.h"
#include "models/launch_steps.h"

namespace missive {

namespace {

// What lets the kernel know the names at the start. With a second thread pushing runs meanwhile and
// both of them afterwards, the two share the whole of the work: each has half of this.
Demands name_ahead(const ImageFacts& image, std::uint64_t threads) {
  const auto share = [&](std::uint64_t n) { return (n + threads - 1) / threads; };
  return {items("fuse_directory", share(image.directories)),
          items("fuse_list", share(image.listed)),
          items("fuse_lookup", share(image.links))};  // a link is one round trip as well
}

void deliver_fuse(Step& deliver, const LaunchScenario& s) {
  const ImageFacts& image = s.image;
  deliver.demands.push_back({"image_tree", 1, {}, image.files + image.nodes_other});
  if (s.lazy) return;
  deliver.demands.push_back(items("plan_ahead", image.symlinks));
  for (Demand& each : name_ahead(image, 2)) deliver.demands.push_back(std::move(each));
  deliver.demands.push_back({"fuse_store", 1, image.run_bytes, image.runs});
  deliver.amounts[Amount::bytes_delivered] = image.run_bytes.count;
}

}  // namespace

DeliveryModel fuse_delivery() {
  DeliveryModel m;
  m.name = "fuse";
  m.prepare = [] { return Demands{calls("fuse_mount")}; };
  m.deliver = deliver_fuse;
  m.look_up = [](std::uint64_t lookups) { return Demands{items("fuse_lookup", lookups)}; };
  m.lazy.plan = [](const ImageFacts& image) {
    return Demands{items("plan_ahead", image.symlinks)};
  };
  m.lazy.names = [](const LaunchPart& part) { return name_ahead(part.image, 1); };
  // By one thread; the cost is that of two.
  m.lazy.ahead = [](const LaunchPart& part) {
    return Demand{"fuse_store", 0, Bytes{2 * part.image.run_bytes.count}, 2 * part.image.pieces};
  };
  m.lazy.on_fault = [](const LaunchPart& part) {
    return Demand{"fuse_read", 0, part.image.run_bytes, part.image.pieces};
  };
  return m;
}

}  // namespace missive
