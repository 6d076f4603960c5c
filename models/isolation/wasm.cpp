// WebAssembly through wasm2c: with guard pages, with bounds checks, and from a pool.

#include "models/isolation/structure_list.h"

namespace missive {

namespace {

Structure instance() {
  Structure s;
  s.crossing = with_interface(contained_call());
  s.crossing.push_back({1, "indirect_call.call_s"});
  s.crossing_why = "a call that can be taken back, and one into the compiled module";
  s.copies = 1;
  return s;
}

}  // namespace

Structure wasm_guard_structure() {
  Structure s = instance();
  s.creation = {{4, "allocate.call_s"},
                {1, "reserve_space.call_s"},
                {1, "protect_page.call_s"},
                {1, "far_touch.call_s"}};
  s.creation_why = "8 GiB reserved, its first pages made accessible, one page of data written";
  s.teardown = {{1, "region_end.call_s"},
                {1, "unmap_parts.item_s"},  // what may be touched, beside what may not
                {2, "allocate.call_s"}};
  s.footprint = {.maps = 2, .address_space = 0x1p33, .pages = 1};
  return s;
}

Structure wasm_bounds_structure() {
  Structure s = instance();
  s.creation = {{4, "allocate.call_s"}, {1, "region_start.call_s"}};
  s.creation_why = "a mapping of what the module may grow to, one page of data written";
  s.teardown = {{1, "region_end.call_s"}, {2, "allocate.call_s"}};
  s.footprint = {.maps = 1, .address_space = 68288512, .pages = 1};
  return s;
}

Structure wasm_pooled_structure() {
  Structure s = instance();
  s.creation = {{4, "allocate.call_s"}};
  s.creation_why = "an instance taken from the pool; it was reset when it was given back";
  s.teardown = {{1, "discard.call_s"}};  // a null call writes no page
  s.footprint = {.maps = 3, .address_space = 0x1p33};
  return s;
}

}  // namespace missive
