#pragma once
// Processors that do not fall asleep while something is measured.

#include <string>

#include "real/fd.h"

namespace missive {

// As long as the request is there, no processor of this host enters an idle state: it polls
// instead, and a thread that is woken on it runs within a microsecond. In a virtual machine an idle
// processor is given back to the host, and waking it takes some 50 to 100 us, by where the
// scheduler happened to put the two ends of a conversation: an application that exchanges a hundred
// messages with a display has two modes then, of which no model without thread placement can tell
// which one comes.
//
// Linux' PM QoS interface (Documentation/power/pm_qos_interface.rst): a latency of 0 us asked for
// through /dev/cpu_dma_latency. The request ends with the descriptor, and so with the process,
// however it ends.
struct AwakeProcessors {
  UniqueFd request;
  std::string unavailable;  // why they are not: no such device, or this user may not use it
};
AwakeProcessors keep_processors_awake();

}  // namespace missive
