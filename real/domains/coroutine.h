#pragma once
// The service on a stack of its own in this thread; see coroutine.cpp.

#include "real/domains/message.h"

namespace missive::domains {

std::unique_ptr<Domain> make_coroutine_domain(const DomainOptions& options,
                                              ServiceFunction service = native_service);

}  // namespace missive::domains
