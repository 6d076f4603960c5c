// A virtual machine without a guest kernel.

#include "models/isolation/structure_list.h"

namespace missive {

Structure kvm_structure() {
  Structure s;
  s.crossing = with_interface({{1, "kvm_exit.call_s"}});
  s.crossing_why = "an entry into the guest and an exit by an out instruction";
  s.copies = 1;
  // The primitive's machine fills four pages, this one seven (minor faults).
  s.creation = {{1, "kvm_create.call_s"},
                {3, "anonymous_touch.item_s"},
                {1, "kvm_first_run.call_s"},
                {10, "system_call.call_s"}};
  s.creation_why =
      "a virtual machine, the pages its program and tables fill, and its first run, until it waits";
  s.teardown = {{1, "kvm_end.call_s"}, {3, "unmap.item_s"}, {1, "system_call.call_s"}};
  s.footprint = {.maps = 3, .descriptors = 2, .pages = 9};
  return s;
}

}  // namespace missive
