#pragma once
// Init's side of the conversation over its control socket (init_protocol.h). What it receives lies
// in memory of this file until init ends.

#include <span>

#include <linux/filter.h>

#include "real/launch/init_protocol.h"

namespace missive::launch::init {

struct Prepare {
  Confinement confinement = Confinement::full;
  int root = -1, display = -1;
  const char* display_name = nullptr;
  std::span<const sock_filter> filter;
};

struct Start {
  int root = -1, output = -1, log = -1, display = -1;
  int loader = -1, loader_socket = -1, image = -1;  // all of them, or none
  int faults = -1;                                  // lazily: /dev/userfaultfd
  char** programs = nullptr;
  char** arguments = nullptr;
  char** variables = nullptr;
  const char* display_name = nullptr;
};

// Each waits for its message. False when it is malformed (last_error()); ends init when the
// launcher is gone.
bool receive_prepare(Prepare& prepare);
bool receive_start(Start& start);

// Takes what a message brought, for as long as init lives. False at the launcher's end of the
// socket, and for every message that is not a KeepMessage.
bool keep_descriptor();

// `error` is an errno. A launcher that is gone is noticed elsewhere.
void send_report(Step step, int error);

}  // namespace missive::launch::init
