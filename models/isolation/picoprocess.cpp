// A static program in namespaces of its own, shut in (real/domains/picoprocess.cpp).

#include "models/isolation/structure_list.h"

namespace missive {

Structure picoprocess_structure() {
  Structure s = process_futex_structure();  // its calls are the same
  s.host_service = s.first_call_joins = false;
  // strace: besides what has a term of its own, 63 signal handlers and some thirty small calls.
  s.creation = {{1, "namespaces_start.call_s"}, {1, "user_map.call_s"},
                {1, "private_mounts.call_s"},   {1, "file_system_create.call_s"},
                {1, "root_change.call_s"},      {1, "exec_replace.call_s"},
                {1, "filter_load.call_s"},      {1, "memory_file_fill.call_s"},
                {1, "memory_file_fill.item_s"}, {1, "seal.call_s"},
                {1, "memory_file_read.call_s"}, {6, "copy_on_write.item_s"},
                {9, "file_read_touch.item_s"},  {1, "pidfd_create.call_s"},
                {1, "affinity_set.call_s"},     {95, "system_call.call_s"}};
  s.creation_why =
      "a clone into new namespaces, users mapped into them, mounts made private and left for an "
      "empty root, a static program in its place, its system calls filtered, memory for messages";
  s.creation_by_page = {{1, "namespaces_start.item_s"}, {1, "exec_replace.item_s"}};
  s.teardown_by_page = {};  // it left them when it became another program
  s.teardown = {{1, "namespaces_end.call_s"}, {1, "unmap.call_s"}};
  s.footprint = {.maps = 1, .processes = 1, .descriptors = 2, .pages = 5};
  return s;
}

}  // namespace missive
