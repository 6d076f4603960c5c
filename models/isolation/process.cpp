// A forked process behind five transports.

#include "models/isolation/structure_list.h"

namespace missive {

namespace {

// First steps after fork(2), beyond those of the primitive's child, which only says a word: pages
// that parent and child write, each copied; pages of the program and its libraries that the child
// enters (minor faults of both, getrusage(2)); and the calls with which it makes itself at home
// (strace: fifteen signal handlers, mask, name of the parent, limits, descriptors).
constexpr double kPagesWritten = 7, kPagesEntered = 9, kCallsOfTheChild = 21;

// Of a forked child that has answered: pages it has written (Private_Dirty, smaps(5)), and one of
// the memory for messages.
constexpr double kPagesOfItsOwn = 20;

Structure forked() {
  Structure s;
  s.peer = Peer::process;
  s.hand_overs = 2;
  s.host_service = true;
  s.first_call_joins = true;
  s.creation = {{1, "fork_start.call_s"},
                {kPagesWritten, "copy_on_write.item_s"},
                {kPagesEntered, "file_read_touch.item_s"},
                {kCallsOfTheChild, "system_call.call_s"},
                {1, "affinity_set.call_s"},
                {1, "anonymous_touch.call_s"},
                {1, "memory_file_fill.item_s"},
                {1, "allocate.call_s"}};
  s.creation_why =
      "a fork until the child runs, shared memory for messages, the child's first steps";
  s.creation_by_page = {{1, "fork_start.item_s"}};
  s.teardown = {{1, "process_end.call_s"}, {1, "unmap.call_s"}};
  s.teardown_by_page = {{1, "process_end.item_s"}};
  s.footprint = {.maps = 1, .processes = 1, .descriptors = 2, .pages = kPagesOfItsOwn};
  return s;
}

}  // namespace

Structure process_pipe_structure() {
  Structure s = forked();
  s.crossing = with_interface({{2, "pipe_message.call_s"}, {1, "poll_wait.call_s"}});
  s.crossing_why =
      "two messages through pipes, a poll(2) that waits with a deadline, two hand-overs";
  s.creation.push_back({2, "pipe_create.call_s"});
  s.channel = "pipe_message";
  s.channel_room = 65536;  // pipe(7)
  return s;
}

Structure process_unix_structure() {
  Structure s = forked();
  s.crossing = with_interface({{2, "unix_message.call_s"}, {1, "poll_wait.call_s"}});
  s.crossing_why =
      "two messages through a socket, a poll(2) that waits with a deadline, two hand-overs";
  s.creation.push_back({1, "unix_create.call_s"});
  s.channel = "unix_message";
  return s;
}

Structure process_eventfd_structure() {
  Structure s = forked();
  s.crossing = with_interface({{2, "eventfd_signal.call_s"}, {1, "poll_wait.call_s"}});
  s.crossing_why =
      "two signals by eventfd, a poll(2) that waits for answer, death or deadline, two hand-overs";
  s.copies = 1;
  s.footprint.descriptors = 3;
  return s;
}

Structure process_futex_structure() {
  Structure s = forked();
  s.crossing = with_interface({{2, "futex_pair.call_s"}});
  s.crossing_why = "a FUTEX_WAKE and a FUTEX_WAIT on each side, and two hand-overs";
  s.copies = 1;
  s.footprint.descriptors = 0;
  return s;
}

Structure process_spin_structure() {
  Structure s = process_futex_structure();
  s.crossing = with_interface({{2, "line_transfer.call_s"}});
  s.creation.push_back({1, "affinity_move.call_s"});
  s.hand_overs = 0;
  s.reads_remotely = true;
  s.crossing_why =
      "a cache line with the request there and one with the reply back, each polled by the other "
      "side while it is written";
  return s;
}

}  // namespace missive
