// The mechanism "kvm": the service alone in a virtual machine, without a guest kernel.

#include <algorithm>
#include <cstring>

#include "real/domains/kvm/guest/mailbox.h"
#include "real/domains/kvm/machine.h"
#include "real/domains/mechanism_list.h"
#include "real/domains/message.h"

extern "C" const std::byte missive_kvm_image[];
extern "C" const std::byte missive_kvm_image_end[];

namespace missive::domains {

namespace {

constexpr std::uint64_t kPage = 4096;

// What lies where behind the image (guest/mailbox.h says what lies before). The image is an
// address range of the guest's, request and shared memory are the guest's to spoil.
struct Layout {
  explicit Layout(const DomainOptions& options) {
    constexpr std::uint64_t kRoom = kvm::kMaxMemory - kvm::kTables - (1 << 20);
    if (options.max_message > kRoom / 4 || options.shared_bytes > kRoom / 4)
      throw InputError("kvm: messages and shared memory of at most " + std::to_string(kRoom / 4) +
                       " bytes each");
    const auto image = static_cast<std::uint64_t>(missive_kvm_image_end - missive_kvm_image);
    request = up(MISSIVE_KVM_IMAGE + image);
    reply = up(request + options.max_message);
    shared = up(reply + options.max_message);
    end = up(shared + options.shared_bytes);
  }
  static std::uint64_t up(std::uint64_t x) { return (x + kPage - 1) & ~(kPage - 1); }

  std::uint64_t request, reply, shared, end;
};

class KvmDomain final : public Domain {
 public:
  explicit KvmDomain(const DomainOptions& options)
      : limit_(options.max_message),
        shared_bytes_(options.shared_bytes),
        deadline_(options.deadline),
        layout_(options),
        machine_(layout_.end, MISSIVE_KVM_IMAGE) {
    std::copy(missive_kvm_image, missive_kvm_image_end,
              machine_.memory().data() + MISSIVE_KVM_IMAGE);
    machine_.run(MISSIVE_KVM_PORT, deadline_);
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    const bool in_place = lies_in(request, shared());
    check_message("kvm", in_place ? 0 : request.size(), reply.size(), limit_);
    if (ended_) throw DomainFault("kvm: the domain has ended");
    std::byte* memory = machine_.memory().data();
    missive_kvm_mailbox box{};
    box.entry = static_cast<std::uint32_t>(entry);
    box.request =
        in_place ? layout_.shared + static_cast<std::uint64_t>(request.data() - shared().data())
                 : layout_.request;
    box.size = request.size();
    box.reply = layout_.reply;
    box.capacity = reply.size();
    if (!in_place && !request.empty())
      std::memcpy(memory + layout_.request, request.data(), request.size());
    std::memcpy(memory + MISSIVE_KVM_MAILBOX, &box, sizeof box);
    run();
    // Read once: the guest does not run now, and its answer is checked before it is used.
    std::memcpy(&box, memory + MISSIVE_KVM_MAILBOX, sizeof box);
    const std::size_t size = answer(box.answer, reply.size());
    if (size > 0) std::memcpy(reply.data(), memory + layout_.reply, size);
    return size;
  }

  std::span<std::byte> shared() override {
    return machine_.memory().subspan(layout_.shared, shared_bytes_);
  }

 private:
  void run() {
    ended_ = true;  // unless it comes back as agreed
    machine_.run(MISSIVE_KVM_PORT, deadline_);
    ended_ = false;
  }
  std::size_t answer(std::int64_t told, std::size_t capacity) {
    try {
      return checked_answer("kvm", told, capacity);
    } catch (const DomainFault&) {
      ended_ = true;
      throw;
    }
  }

  std::size_t limit_, shared_bytes_;
  std::chrono::milliseconds deadline_;
  Layout layout_;
  kvm::Machine machine_;
  bool ended_ = false;
};

}  // namespace

Mechanism kvm_mechanism() {
  Mechanism m;
  m.name = "kvm";
  m.what =
      "a virtual machine with one CPU and no guest kernel, user-mode code only (KVM); a crossing "
      "is a VM exit to this process and an entry, which saves all registers; messages copied in "
      "and out of guest memory";
  if (const std::string label = kvm::host_label(); !label.empty()) m.what += "; " + label;
  m.claims = {true, true, true, true, true};
  m.same_process = false;
  m.unavailable = kvm::unavailable;
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    if (const std::string why = kvm::unavailable(); !why.empty()) throw NotAvailable("kvm: " + why);
    return std::make_unique<KvmDomain>(options);
  };
  return m;
}

}  // namespace missive::domains
