// Services that are this program's own code: no boundary, or one that only the language draws.

#include "models/isolation/structure_list.h"

namespace missive {

Structure call_structure() {
  Structure s;
  s.crossing = with_interface({});
  s.crossing_why = "the interface, and nothing else";
  s.creation = {{1, "allocate.call_s"}};
  s.creation_why = "the object";
  s.by_pointer = s.host_service = true;
  s.teardown = {{0.5, "allocate.call_s"}};
  return s;
}

Structure safe_rust_structure() {
  Structure s = call_structure();
  s.crossing = with_interface(contained_call());
  s.crossing_why = "a call that can be taken back, into the safe crate";
  s.native_reader = s.host_service = false;
  return s;
}

Structure coroutine_structure() {
  Structure s;
  s.crossing = with_interface({{2, "stack_switch.call_s"}});
  s.crossing_why = "two exchanges of the stack pointer and three words, in line";
  s.creation = {{1, "allocate.call_s"},
                {1, "anonymous_touch.call_s"},
                {1, "protect_page.call_s"},
                {1, "anonymous_touch.item_s"}};
  s.creation_why = "a mapping, a guard page, and the first touch of the stack";
  s.by_pointer = s.host_service = true;
  s.teardown = {{1, "unmap.call_s"},
                {1, "unmap_parts.item_s"},  // the stack, beside the guard page
                {1, "unmap.item_s"},
                {0.5, "allocate.call_s"}};
  s.footprint = {.maps = 2, .address_space = 68 * 1024.0, .pages = 1};
  return s;
}

Structure thread_structure() {
  Structure s;
  s.peer = Peer::thread;
  s.crossing = with_interface({{2, "futex_pair_private.call_s"}});
  s.hand_overs = 2;
  s.crossing_why = "a FUTEX_WAKE and a FUTEX_WAIT on each side, and two hand-overs";
  s.creation = {{1, "thread_start.call_s"}, {1, "allocate.call_s"}};
  s.creation_why = "a thread until it runs";
  s.by_pointer = s.host_service = true;
  s.teardown = {{1, "thread_end.call_s"}};
  s.footprint = {.maps = 2, .address_space = 68 * 1024.0, .processes = 1, .pages = 2};
  return s;
}

}  // namespace missive
