// 32-bit code in segments of this process (local descriptor table).

#include "models/isolation/structure_list.h"

namespace missive {

Structure segment_structure() {
  Structure s;
  s.crossing = with_interface(contained_call());
  s.crossing.push_back({1, "saving_call.call_s"});
  s.crossing.push_back({2, "far_jump.call_s"});
  s.crossing.push_back({6, "segment_load.call_s"});
  s.crossing.push_back({4, "fs_base_read.call_s"});
  s.crossing_why =
      "a call that can be taken back, one of the gate, a far jump into 32-bit code and one back, "
      "three data segments loaded each way, and the bases of two more read before and after, to "
      "see "
      "that they are still the host's";
  s.copies = 1;
  s.native_reader = false;  // 32-bit code
  s.creation = {{2, "allocate.call_s"},
                {1, "anonymous_touch.call_s"},
                {6, "anonymous_touch.item_s"},
                {3, "protect_page.call_s"},
                {2, "segment_table_write.call_s"}};
  s.creation_why =
      "low memory, six pages of it touched (code, data, stack, context), three protections, two "
      "segments described";
  s.teardown = {{1, "allocate.call_s"},
                {1, "unmap.call_s"},
                {5, "unmap_parts.item_s"},  // six maps, one call
                {6, "unmap.item_s"},
                {2, "segment_table_write.call_s"}};
  s.footprint = {.maps = 6, .address_space = 228 * 1024.0, .pages = 6, .segments = 2};
  return s;
}

}  // namespace missive
