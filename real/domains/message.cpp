#include "real/domains/message.h"

namespace missive::domains {

void refuse_message(const char* mechanism, std::size_t request, std::size_t reply,
                    std::size_t limit) {
  throw InputError(std::string(mechanism) + ": a request of " + std::to_string(request) +
                   " and a reply of " + std::to_string(reply) +
                   " bytes do not fit; the domain was made for messages of up to " +
                   std::to_string(limit));
}

void refuse_answer(const char* mechanism, std::int64_t answer, std::size_t capacity) {
  if (answer == -1)
    throw InputError(std::string(mechanism) +
                     ": the service refused: an unknown entry, a malformed request or a reply "
                     "that does not fit into " +
                     std::to_string(capacity) + " bytes");
  throw DomainFault(std::string(mechanism) + ": the domain claims a reply of " +
                    std::to_string(answer) + " bytes in " + std::to_string(capacity) +
                    "; it is not to be trusted any more");
}

}  // namespace missive::domains
