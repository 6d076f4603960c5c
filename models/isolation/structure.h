#pragma once
// How a mechanism is built, as far as its costs go: what the models in models/isolation.h count.
// Each family of mechanisms has a file here; adding one is its function there, its declaration in
// structure_list.h and its line in structures.cpp.
//
// Every count is read from what the mechanism does: system calls (strace), first touches of pages
// (minor faults), copies, hand-overs of the processor, and the source. None is fitted.

#include <string>
#include <vector>

#include "models/isolation/composition.h"
#include "models/isolation/density.h"

namespace missive {

// Where a service runs that has a thread or process of its own.
enum class Peer { none, thread, process };

struct Structure {
  Peer peer = Peer::none;
  // Round trip without the hand-overs between threads or processes.
  std::vector<CostTerm> crossing;
  // Hand-overs of the processor in a round trip: two for a service that sleeps.
  double hand_overs = 0;
  const char* crossing_why = "";

  // create(), without the first call.
  std::vector<CostTerm> creation;
  // The first call finds the service on its way: its hand-overs are in the creation's terms.
  bool first_call_joins = false;
  const char* creation_why = "";
  std::vector<CostTerm> teardown;
  // Of both, what is done for each page that the maker has to itself: a fork copies its entry in
  // the page tables, the copy's end or another program in its place takes it back.
  std::vector<CostTerm> creation_by_page, teardown_by_page;

  // How often a message is copied in by memcpy, and through the kernel (in and out count as one).
  double copies = 0;
  const char* channel = nullptr;  // micro-measurement of a message through the kernel; or none
  double channel_room = 0;        // bytes it holds; a longer message changes sides more often
  bool in_place = true;           // has memory that both sides see
  bool by_pointer = false;        // the service reads the caller's own memory
  bool host_service = false;      // the service is this program's own code: has a serialiser, maps
                                  // files it is handed
  bool native_reader = true;      // the service's reading is the C code that read_* stands for
  bool reads_remotely = false;    // on another CPU than the writer

  DomainFootprint footprint;
};

// ---- what several families share ----

// What the interface itself costs (machine code): a call through the class's table; the call of the
// service, which saves six registers and restores them; and the service's jump through its table of
// entries. In front of every crossing. As throughput: a caller's next instructions wait for none of
// them, so that the processor runs one crossing's over the next one's.
std::vector<CostTerm> with_interface(std::vector<CostTerm> terms);
// A call that can be taken back (real/domains/trap.h): one more, which notes where to go on and
// saves all registers of its caller's, because whoever takes it back finds none of them in place.
std::vector<CostTerm> contained_call();

// Nothing for a mechanism without a model.
const Structure* find_structure(const std::string& mechanism);
std::vector<std::string> modelled_mechanisms();

}  // namespace missive
