#pragma once
// What a service can do that is this program's own code, and one in a freestanding guest cannot: it
// has a serialiser, and it may map a file it was handed. For the cell "sharing".

#include <cstddef>
#include <cstdint>

namespace missive::domains {

// The request of Entry::sealed_sum: where the descriptor of a sealed memory file is.
struct SealedMessage {
  std::int32_t descriptor = -1;  // one of this process; or -1:
  std::int32_t socket = -1;      // it comes through this one (DomainOptions::descriptor_socket)
  std::uint64_t size = 0;        // bytes of the file
};

// As missive_service() (service.h), for the entries marshalled_sum and sealed_sum; the first
// allocates memory, so that a forked service may only run it when the fork's parent had no other
// threads. Replies 8 bytes. -1 for anything but a well-formed message, and a file that is not of
// that size or not sealed against writing and shrinking: what it reads could change under its eyes
// (memfd_create(2)).
std::int64_t host_service(std::int32_t entry, const std::uint8_t* request, std::size_t size,
                          std::uint8_t* reply, std::size_t capacity);

// Sends `descriptor` through a Unix socket (unix(7), SCM_RIGHTS). Throws RunError.
void send_descriptor(int socket, int descriptor);
// The next one that came through it; -1 when what came is none. Blocks. Allocates nothing.
int receive_descriptor(int socket);

}  // namespace missive::domains
