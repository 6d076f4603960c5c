#pragma once
// The service in a forked process, behind five transports: two that carry the message through the
// kernel (process_stream.cpp), three that only say "look" about messages in shared memory
// (process_memory.cpp).
//
// All have in common: the process is a copy-on-write fork of this one, so it can read what the
// parent's memory held at the fork but change nothing of it; the kernel switches everything, page
// tables included. A fault, an exit or a missed deadline ends it and is a DomainFault.

#include "real/domains/message.h"

namespace missive::domains {

enum class StreamKind { pipe, unix_socket };
enum class MemorySignal { eventfd, futex, spin };

std::unique_ptr<Domain> make_stream_domain(StreamKind kind, const DomainOptions& options,
                                           ServiceFunction service = native_service);
std::unique_ptr<Domain> make_memory_domain(MemorySignal signal, const DomainOptions& options,
                                           ServiceFunction service = native_service);

}  // namespace missive::domains
