// Primitives of virtual machines.

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"
#include "real/measure/micro_process.h"
#include "real/measure/micro_repeat.h"

namespace missive::measure {

namespace {

kvm_segment user_segment(std::uint16_t selector, std::uint8_t type, bool code) {
  kvm_segment s{};
  s.limit = 0xffffffff;
  s.selector = selector;
  s.type = type;
  s.present = s.s = s.g = 1;
  s.dpl = 3;
  s.l = code;
  s.db = !code;
  return s;
}

// A guest that does nothing but leave, in 64-bit user mode: the mode whose exits cost what those of
// a service do (KVM API, Documentation/virt/kvm/api.rst; tables as in the SDM, 3A, 4.5).
class TinyMachine {
 public:
  TinyMachine()
      : memory_(Mapping::anonymous(kMemory, "micro-measurement: guest")),
        kvm_(::open("/dev/kvm", O_RDWR | O_CLOEXEC)) {
    micro_must(kvm_.get() >= 0, "/dev/kvm");
    vm_.reset(::ioctl(kvm_.get(), KVM_CREATE_VM, 0));
    micro_must(vm_.get() >= 0, "KVM_CREATE_VM");
    fill_memory();
    kvm_userspace_memory_region region{};
    region.memory_size = kMemory;
    region.userspace_addr = reinterpret_cast<std::uint64_t>(memory_.writable().data());
    micro_must(::ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) == 0, "memory region");
    cpu_.reset(::ioctl(vm_.get(), KVM_CREATE_VCPU, 0));
    micro_must(cpu_.get() >= 0, "KVM_CREATE_VCPU");
    set_registers();
    const int size = ::ioctl(kvm_.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    micro_must(size > 0, "KVM_GET_VCPU_MMAP_SIZE");
    run_bytes_ = static_cast<std::size_t>(size);
    run_ = ::mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, cpu_.get(), 0);
    micro_must(run_ != MAP_FAILED, "mmap of the vCPU");
  }
  TinyMachine(const TinyMachine&) = delete;
  TinyMachine& operator=(const TinyMachine&) = delete;
  ~TinyMachine() { ::munmap(run_, run_bytes_); }

  void run() const { micro_must(::ioctl(cpu_.get(), KVM_RUN, 0) == 0, "KVM_RUN"); }
  unsigned exit_reason() const { return static_cast<const kvm_run*>(run_)->exit_reason; }

 private:
  static constexpr std::size_t kMemory = 4U << 20U;
  static constexpr std::size_t kCode = 2U << 20U;

  // Three tables for the first 4 MiB, and the program behind them: out %al,$0x10; jump back.
  void fill_memory() {
    std::byte* at = memory_.writable().data();
    ::madvise(at, kMemory, MADV_NOHUGEPAGE);
    const std::uint64_t entries[][2] = {
        {0, 0x1007}, {0x1000, 0x2007}, {0x2000, 0x83}, {0x2008, kCode | 0x87}};
    for (const auto& [where, entry] : entries) std::memcpy(at + where, &entry, sizeof entry);
    const unsigned char loop[] = {0xe6, 0x10, 0xeb, 0xfc};
    std::memcpy(at + kCode, loop, sizeof loop);
  }

  void set_registers() const {
    kvm_sregs s{};
    micro_must(::ioctl(cpu_.get(), KVM_GET_SREGS, &s) == 0, "KVM_GET_SREGS");
    s.cr3 = 0;
    s.cr0 = 0x80050033;  // PG AM WP NE ET MP PE
    s.cr4 = 0x620;       // PAE OSFXSR OSXMMEXCPT
    s.efer = 0x500;      // LME LMA
    s.cs = user_segment(0x1b, 11, true);
    s.ds = s.es = s.fs = s.gs = s.ss = user_segment(0x23, 3, false);
    s.tr.base = 0x3000;  // zeros: no port is forbidden
    micro_must(::ioctl(cpu_.get(), KVM_SET_SREGS, &s) == 0, "KVM_SET_SREGS");
    kvm_regs r{};
    r.rip = kCode;
    r.rflags = 0x3002;  // IOPL 3
    micro_must(::ioctl(cpu_.get(), KVM_SET_REGS, &r) == 0, "KVM_SET_REGS");
  }

  Mapping memory_;
  UniqueFd kvm_, vm_, cpu_;
  void* run_ = nullptr;
  std::size_t run_bytes_ = 0;
};

}  // namespace

std::string kvm_unavailable() {
  const UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (kvm.get() < 0)
    return std::string("/dev/kvm: ") + std::strerror(errno) + "; needs hardware virtualisation";
  return {};
}

void kvm_create(Sampler& sample) {
  repeat(sample, 2, [](double& t) {
    std::optional<TinyMachine> machine;
    t += seconds_of([&] { machine.emplace(); });
  });
}

void kvm_first_run(Sampler& sample) {
  repeat(sample, 2, [](double& t) {
    const TinyMachine machine;
    t += seconds_of([&] { machine.run(); });
  });
}

void kvm_end(Sampler& sample) {
  repeat(sample, 2, [](double& t) {
    std::optional<TinyMachine> machine(std::in_place);
    machine->run();
    t += seconds_of([&] { machine.reset(); });
  });
}

void kvm_exit(Sampler& sample) {
  const TinyMachine machine;
  for (int i = 0; i < 10; ++i) {
    machine.run();
    if (machine.exit_reason() != KVM_EXIT_IO) {
      errno = EPROTO;
      micro_must(false, "the tiny guest did not exit as it should");
    }
  }
  repeat_all(sample, 50, [&] { machine.run(); });
}

}  // namespace missive::measure
