// The floor: the service as a plain function, called through the same interface as every domain.

#include "real/domains/mechanism_list.h"
#include "real/domains/message.h"
#include "real/fd.h"

namespace missive::domains {

namespace {

class CallDomain final : public Domain {
 public:
  explicit CallDomain(const DomainOptions& options) : limit_(options.max_message) {
    if (options.shared_bytes > 0)
      shared_ = Mapping::anonymous(options.shared_bytes, "call: shared memory");
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (!lies_in(request, shared_.bytes()))
      check_message("call", request.size(), reply.size(), limit_);
    return checked_answer("call",
                          native_service(static_cast<std::int32_t>(entry), as_bytes(request),
                                         request.size(), as_bytes(reply), reply.size()),
                          reply.size());
  }

  std::span<std::byte> shared() override { return shared_.writable(); }

 private:
  std::size_t limit_;
  Mapping shared_;
};

}  // namespace

Mechanism call_mechanism() {
  Mechanism m;
  m.name = "call";
  m.what =
      "a plain function call, no isolation at all; a virtual call and the C calling convention, "
      "nothing saved beyond that, messages by pointer";
  m.same_process = true;
  m.by_pointer = true;
  m.unavailable = [] { return std::string(); };
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    return std::make_unique<CallDomain>(options);
  };
  return m;
}

}  // namespace missive::domains
