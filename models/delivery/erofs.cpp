// The image below a read-only file system of the kernel.

#include "models/delivery/list.h"
#include "models/launch_steps.h"

namespace missive {

DeliveryModel erofs_delivery() {
  DeliveryModel m;
  m.name = "erofs";
  m.deliver = [](Step& deliver, const LaunchScenario& s) {
    if (s.hand_over == HandOver::copy)  // needs a sealed memory file: the work of a cache
      deliver.demands.push_back({"assemble", 1, s.image.length, 0});
    deliver.demands.push_back(items("erofs_view", s.image.files + s.image.nodes_other));
    deliver.demands.push_back(calls("erofs_mount"));
    // Asking ahead goes on beside the start, on a core that is free there.
    deliver.amounts[Amount::bytes_delivered] = s.image.run_bytes.count;
  };
  return m;
}

}  // namespace missive
