#pragma once
// A static PIE as a domain of this process (mechanism "pie"): its own copy of code and data, own
// stack, thread-local storage, malloc and stdio, started by its own C library. No boundary.

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "real/domains/domain.h"
#include "real/domains/pie/slots.h"

namespace missive::domains::pie {

// The service as built with this program; empty when it was built without musl.
std::span<const std::byte> built_in_image();

// A domain from a program that follows guest/link.h; the pool lives as long as its domains. Throws
// RunError when the program ends before it is ready (its output is in the message), or for a host
// limit.
std::unique_ptr<Domain> start(std::shared_ptr<Pool> pool, const DomainOptions& options);

}  // namespace missive::domains::pie
