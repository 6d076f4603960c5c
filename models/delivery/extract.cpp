// Every file is written into a fresh tmpfs.

#include "models/delivery/list.h"
#include "models/launch_steps.h"

namespace missive {

DeliveryModel extract_delivery() {
  DeliveryModel m;
  m.name = "extract";
  m.prepare = [] { return Demands{calls("extract_mount")}; };
  m.deliver = [](Step& deliver, const LaunchScenario& s) {
    deliver.demands.push_back({"extract", 0, s.image.content, s.image.files});
    deliver.demands.push_back(items("extract_node", s.image.nodes_other));
    deliver.amounts[Amount::bytes_delivered] = s.image.content.count;
  };
  return m;
}

}  // namespace missive
