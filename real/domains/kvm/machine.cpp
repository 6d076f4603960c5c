#include "real/domains/kvm/machine.h"

#include <cerrno>
#include <cstring>

#include <cpuid.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "models/error.h"
#include "real/domains/domain.h"
#include "real/domains/kvm/deadline.h"
#include "real/domains/map_limit.h"
#include "real/process.h"

namespace missive::domains::kvm {

namespace {

// Page table entry: present, writable, user; large page. SDM 3A, table 4-19.
constexpr std::uint64_t kPresent = 0x3, kUse = 0x7, kLarge = 0x80;
constexpr std::uint64_t kPageTables[] = {0x0, 0x1000, 0x2000};  // PML4, PDPT, PD
// A task state segment of zeros, whose empty map of forbidden ports allows all. IOPL 3 alone is
// enough for a CPU, but PVM does not keep it and looks here. SDM 1, 19.5.2.
constexpr std::uint64_t kTaskState = 0x3000;

std::string errno_text() { return std::strerror(errno); }

// Two descriptors for each machine: the limit met first.
[[noreturn]] void refuse(const std::string& what) {
  const int error = errno;
  if (error == EMFILE) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    throw RunError("kvm: no file descriptor left for " + what +
                   ": a machine takes two, 'ulimit -n' allows " + std::to_string(files.rlim_cur) +
                   "; raise it to " + std::to_string(2 * files.rlim_cur));
  }
  if (const std::string limit = map_limit_reached(); error == ENOMEM && !limit.empty())
    throw RunError("kvm: no map entry left for " + what + ": " + limit);
  throw RunError("kvm: cannot make " + what + ": " + std::strerror(error));
}

std::string cannot_open() {
  if (errno == ENOENT)
    return "there is no /dev/kvm; load kvm_intel or kvm_amd, or give this virtual machine nested "
           "virtualisation";
  if (errno == EACCES || errno == EPERM)
    return "/dev/kvm may not be opened by this user; add it to the group 'kvm'";
  return "cannot open /dev/kvm: " + errno_text();
}

Mapping guest_memory(std::uint64_t bytes) {
  try {
    return Mapping::anonymous(bytes, "kvm: guest memory");
  } catch (const RunError&) {
    refuse(std::to_string(bytes) + " bytes of guest memory");
  }
}

UniqueFd open_kvm() { return UniqueFd(::open("/dev/kvm", O_RDWR | O_CLOEXEC)); }

// A signal, such as a deadline's late tick, interrupts even the making of a machine.
template <typename... Argument>
int control(const UniqueFd& fd, unsigned long request, Argument... argument) {
  int result;
  do {
    result = ::ioctl(fd.get(), request, argument...);
  } while (result < 0 && errno == EINTR);
  return result;
}

kvm_segment flat_segment(std::uint16_t selector, std::uint8_t type, bool code) {
  kvm_segment s{};
  s.limit = 0xffffffff;
  s.selector = selector;
  s.type = type;
  s.present = 1;
  s.dpl = 3;
  s.s = 1;
  s.l = code;
  s.db = !code;
  s.g = 1;
  return s;
}

}  // namespace

std::string unavailable() {
  const UniqueFd kvm = open_kvm();
  if (!kvm) return cannot_open();
  if (::ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
    return "/dev/kvm speaks another version of the interface";
  if (::ioctl(kvm.get(), KVM_CHECK_EXTENSION, KVM_CAP_IMMEDIATE_EXIT) <= 0)
    return "this kernel cannot interrupt a machine safely (KVM_CAP_IMMEDIATE_EXIT, Linux 4.12)";
  return {};
}

std::string host_label() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kHypervisor = 1u << 31;  // CPUID leaf 1, ECX
  const bool nested = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & kHypervisor);
  if (::access("/sys/module/kvm_pvm", F_OK) == 0)
    return "this host is a virtual machine and runs others by PVM, without the CPU's help: exits "
           "cost many times those of bare metal";
  if (nested)
    return "this host is itself a virtual machine: nested, so creation and exits cost more than on "
           "bare metal";
  return {};
}

Machine::Machine(std::uint64_t bytes, std::uint64_t entry) : memory_(guest_memory(bytes)) {
  const UniqueFd kvm = open_kvm();
  if (!kvm) {
    if (errno == EMFILE) refuse("a machine");
    throw NotAvailable("kvm: " + cannot_open());
  }
  machine_ = UniqueFd(control(kvm, KVM_CREATE_VM, 0));
  if (!machine_) refuse("a machine");
  const int run_size = control(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (run_size <= 0) refuse("a CPU's state");
  cpu_ = UniqueFd(control(machine_, KVM_CREATE_VCPU, 0));
  if (!cpu_) refuse("a virtual CPU");
  run_.map(cpu_.get(), static_cast<std::size_t>(run_size));
  give_memory();
  set_registers(entry);
}

Machine::~Machine() { Deadline::stop_ticking(); }

Machine::RunState::~RunState() {
  if (run_ != nullptr) ::munmap(run_, size_);
}

void Machine::RunState::map(int cpu, std::size_t size) {
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  if (at == MAP_FAILED) refuse("the mapping of a CPU's state");
  run_ = static_cast<kvm_run*>(at);
  size_ = size;
}

void Machine::give_memory() {
  std::byte* at = memory().data();
  const std::size_t bytes = memory().size();
  // Touched pages are what a domain costs, not the 2 MiB around them.
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  kvm_userspace_memory_region region{};
  region.memory_size = bytes;
  region.userspace_addr = reinterpret_cast<std::uint64_t>(at);
  if (control(machine_, KVM_SET_USER_MEMORY_REGION, &region) != 0) refuse("guest memory");

  auto* tables = reinterpret_cast<std::uint64_t*>(at);
  constexpr std::size_t kEntries = 512;
  tables[0] = kPageTables[1] | kUse;
  tables[kEntries] = kPageTables[2] | kUse;
  tables[2 * kEntries] = 0 | kPresent | kLarge;  // for the CPU itself, out of the program's reach
  for (std::uint64_t page = kTables; page < bytes; page += 2 << 20)
    tables[2 * kEntries + (page >> 21)] = page | kUse | kLarge;
}

void Machine::set_registers(std::uint64_t entry) {
  kvm_sregs s{};
  if (control(cpu_, KVM_GET_SREGS, &s) != 0) refuse("a CPU's registers");
  s.cr3 = kPageTables[0];
  s.cr0 = 0x80050033;  // PG AM WP NE ET MP PE
  s.cr4 = 0x620;       // PAE OSFXSR OSXMMEXCPT: SSE2 works
  s.efer = 0x500;      // LME LMA; no system call instruction
  s.cs = flat_segment(0x1b, 11, true);
  s.ds = s.es = s.fs = s.gs = s.ss = flat_segment(0x23, 3, false);
  s.tr.base = kTaskState;
  if (control(cpu_, KVM_SET_SREGS, &s) != 0) refuse("a CPU in 64-bit user mode");
  kvm_regs r{};
  r.rip = entry;
  r.rflags = 0x3002;  // IOPL 3
  if (control(cpu_, KVM_SET_REGS, &r) != 0) refuse("a CPU's registers");
}

void Machine::run(std::uint16_t port, std::chrono::nanoseconds deadline) {
  const Deadline limit(deadline, &run_->immediate_exit);
  while (::ioctl(cpu_.get(), KVM_RUN, 0) != 0) {
    if (errno != EINTR && errno != EAGAIN)
      throw DomainFault("kvm: the machine cannot run on: " + errno_text());
    if (limit.passed())
      throw DomainFault(
          "kvm: no answer within " +
          std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count()) +
          " ms; the machine is stopped");
    check_interrupt();
  }
  if (run_->exit_reason != KVM_EXIT_IO || run_->io.port != port ||
      run_->io.direction != KVM_EXIT_IO_OUT)
    refuse_exit();
}

void Machine::refuse_exit() const {
  std::string what = "left the machine for reason " + std::to_string(run_->exit_reason);
  switch (run_->exit_reason) {
    case KVM_EXIT_SHUTDOWN:
      what = "faulted (triple fault)";
      break;
    case KVM_EXIT_MMIO:
      what = "touched address " + std::to_string(run_->mmio.phys_addr) + ", where it has no memory";
      break;
    case KVM_EXIT_IO:
      what = "touched input/output port " + std::to_string(run_->io.port);
      break;
    case KVM_EXIT_INTERNAL_ERROR:
      what = "did what KVM cannot carry out";
      break;
    case KVM_EXIT_FAIL_ENTRY:
      what = "is in a state no CPU accepts";
      break;
    default:
      break;
  }
  throw DomainFault("kvm: the guest " + what);
}

}  // namespace missive::domains::kvm
