#pragma once
// Where an origin is, and a TCP connection to it, with a deadline and a way to give up before.

#include <chrono>
#include <string>

#include "real/fd.h"

namespace missive::origin {

// Numeric only: looking up a name would not be bounded by any deadline.
struct Address {
  std::string host;
  int port = 0;
};
// Of "http://A.B.C.D:PORT". Throws InputError.
Address parse_url(const std::string& url);

// Until one of `events` (poll(2)) holds for the socket, `end` has passed, nothing came for `pause`,
// or `cancel` (any pollable descriptor; -1: none) is readable.
enum class Waited { ready, timed_out, cancelled, failed };
Waited wait_for_socket(int socket, short events, std::chrono::steady_clock::time_point end,
                       std::chrono::milliseconds pause, int cancel);

struct Connected {
  UniqueFd socket;  // non-blocking, with TCP_NODELAY; none: `why`
  Waited why = Waited::failed;
};
Connected connect_to(const Address& to, std::chrono::steady_clock::time_point end,
                     std::chrono::milliseconds pause, int cancel);

}  // namespace missive::origin
