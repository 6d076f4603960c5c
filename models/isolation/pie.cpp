// A position-independent executable inside this process.

#include "models/isolation/structure_list.h"

namespace missive {

Structure pie_structure() {
  Structure s;
  s.crossing = with_interface(
      {{1, "indirect_call.call_s"}, {1, "register_switch.call_s"}, {2, "fs_base_write.call_s"}});
  s.crossing_why =
      "a call of the gate: six registers saved and restored once, as an exchange of them does, "
      "another stack there and back, and two writes of the fs base for the guest's own "
      "thread-local storage";
  s.by_pointer = true;
  // Alone, with the pool of copies that the first of them makes (strace, faults by address).
  s.creation = {{6, "allocate.call_s"},          {1, "memory_file_write.call_s"},
                {9, "memory_file_write.item_s"}, {1, "reserve_space.call_s"},
                {2, "protect_page.call_s"},      {1, "file_write_touch.call_s"},
                {1, "far_touch.call_s"},         {1, "file_read_touch.item_s"},
                {4, "anonymous_touch.item_s"},   {6, "signal_delivery.call_s"},
                {4, "system_call.call_s"}};
  s.creation_why =
      "a file with the program's nine pages, address space for all copies, the pages of code, "
      "data, heap and stack that start-up touches, and the six system calls it makes, each caught "
      "by a signal";
  s.teardown = {{1, "discard.call_s"},          {4, "discard.item_s"},
                {1, "region_end.call_s"},       {1, "memory_file_drop.call_s"},
                {9, "memory_file_drop.item_s"}, {3, "system_call.call_s"},
                {3, "allocate.call_s"}};
  // 2,621 copies in 512 MiB: two maps, and one for the code of each sixteen
  // (real/domains/pie/slots.h).
  constexpr double kCopies = 2621;
  s.footprint = {.maps = 1.0 / 16 + 2 / kCopies, .address_space = 0x1p29 / kCopies, .pages = 4};
  return s;
}

Structure pie_dynamic_structure() {
  Structure s = pie_structure();
  s.creation = {{2, "allocate.call_s"},          {41, "signal_delivery.call_s"},
                {26, "system_call.call_s"},      {43, "processor_question.call_s"},
                {13, "file_write_touch.call_s"}, {4, "anonymous_touch.call_s"},
                {5, "protect_page.call_s"},      {8, "file_write_touch.item_s"},
                {46, "anonymous_touch.item_s"}};
  s.creation_why =
      "what ld.so and the C library do to start: 41 system calls, each caught by a signal, 15 of "
      "them mappings or their protection; 43 questions to the processor; 54 page faults, eight of "
      "which copy a page. Looking up symbols has no primitive";
  s.teardown = {{2, "allocate.call_s"},
                {6, "unmap.call_s"},
                {13, "unmap_parts.item_s"},  // 19 maps, six calls
                {54, "unmap.item_s"}};
  s.footprint = {.maps = 19, .address_space = 4 * 1048576.0, .pages = 54};
  return s;
}

}  // namespace missive
