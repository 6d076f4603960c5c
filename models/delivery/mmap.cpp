// A static program straight from the image's pages, which are neither copied nor brought. It has no
// names to be found by. Lazily its page faults are answered from outside, once the pages are
// verified (real/launch/fault_handler.h).

#include "models/delivery/list.h"
#include "models/launch_steps.h"

namespace missive {

namespace {

// Of a picoprocess whose root holds nothing but mount points (real/launch/mmap.cpp).
constexpr std::uint64_t kMountPoints = 7;

}  // namespace

DeliveryModel mmap_delivery() {
  DeliveryModel m;
  m.name = "mmap";
  m.prepare = [] { return Demands{calls("extract_mount"), items("extract_node", kMountPoints)}; };
  // Beyond the index there is one file to find and one page of it to read (lazily one block to
  // verify, of those that the start needs); its pages come as the native twin's do. Nothing depends
  // on the image's size.
  m.deliver = [](Step& deliver, const LaunchScenario& s) {
    if (s.hand_over == HandOver::copy)
      deliver.demands.push_back({"assemble", 1, s.image.length, 0});
    deliver.amounts[Amount::files_delivered] = 1;
  };
  m.lazy.ahead = [](const LaunchPart& part) {
    return Demand{"fault_ahead", 0, part.image.run_bytes, part.image.pieces};
  };
  m.lazy.on_fault = [](const LaunchPart& part) {
    return Demand{"fault_answer", 0, part.image.run_bytes, part.image.pieces};
  };
  return m;
}

}  // namespace missive
