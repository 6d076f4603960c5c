#include "real/launch/seccomp_filter.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"

// CLONE_NEWTIME shares its bit with CSIGNAL, so it exists for unshare(2) and clone3(2) only.
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace missive::launch {

namespace {

// By group, so that a reader sees what is missing. Names unknown to this architecture or libseccomp
// are skipped: what does not exist needs no rule.
constexpr const char* kDenied[] = {
    // mounts and roots
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen",
    "fsmount", "fsconfig", "fspick", "mount_setattr", "open_tree_attr",
    // other processes' memory and state
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
    "perf_event_open", "userfaultfd", "lookup_dcookie",
    // namespaces of others
    "setns",
    // kernel code and kernel state
    "bpf", "init_module", "finit_module", "delete_module", "create_module", "kexec_load",
    "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog",
    "nfsservctl", "uselib", "sysfs", "_sysctl", "vhangup", "iopl", "ioperm",
    // keys of the user outside
    "keyctl", "add_key", "request_key",
    // files by handle, past path look-up; watches over whole mounts
    "open_by_handle_at", "name_to_handle_at", "fanotify_init",
    // the clock and name of the host
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "sethostname",
    "setdomainname",
    // io_uring runs operations that no filter sees
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    // placement of memory of others
    "move_pages", "migrate_pages", "set_mempolicy_home_node"};

constexpr std::uint64_t kCollapse = 25;  // MADV_COLLAPSE, in madvise(2) of Linux 6.1

constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                      CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

void check(int result, const char* what) {
  if (result < 0) {
    throw RunError(std::string("cannot build the seccomp filter (") + what +
                   "): " + std::strerror(-result));
  }
}

std::vector<sock_filter> build() {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(SCMP_ACT_ALLOW),
                                                                ::seccomp_release);
  if (filter == nullptr) throw RunError("cannot build the seccomp filter: no memory");
  // A decision tree instead of a list: a call costs a few comparisons, not eighty.
  check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
  // Calls of another architecture (i386 or x32 entry on x86-64) would dodge the list.
  check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)),
        "architecture");
  for (const char* name : kDenied) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) continue;
    check(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0), name);
  }
  // Namespaces: flags are an argument of unshare and clone, but clone3 hides them behind a pointer
  // that a filter cannot follow. ENOSYS makes libc fall back to clone (as container runtimes do).
  for (std::uint64_t bit = 1; bit != 0; bit <<= 1) {
    if ((kNamespaces & bit) != 0) {
      check(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit)),
            "clone");
    }
    if (((kNamespaces | CLONE_NEWTIME) & bit) != 0) {
      check(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit)),
            "unshare");
    }
  }
  check(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
  // Pushing characters into the terminal of whoever started the launcher (ioctl_tty(2), TIOCSTI).
  check(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                           SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffU, 0x5412U)),
        "ioctl");

  // Mapping a file's pages together into huge ones passes over whoever watches them for blocks that
  // are not verified yet (fault_handler.h). Kernels before 6.1 answer as much.
  check(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(madvise), 1,
                           SCMP_A2(SCMP_CMP_MASKED_EQ, 0xffffffffU, kCollapse)),
        "madvise");

  const UniqueFd memory(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!memory) throw_errno("cannot make a memory file for the seccomp filter");
  check(::seccomp_export_bpf(filter.get(), memory.get()), "export");
  struct stat status {};
  if (::fstat(memory.get(), &status) != 0) throw_errno("cannot measure the seccomp filter");
  const auto bytes = static_cast<std::size_t>(status.st_size);
  std::vector<sock_filter> program(bytes / sizeof(sock_filter));
  if (::pread(memory.get(), program.data(), bytes, 0) != static_cast<ssize_t>(bytes)) {
    throw_errno("cannot read the seccomp filter");
  }
  return program;
}

}  // namespace

const std::vector<sock_filter>& seccomp_program() {
  static const std::vector<sock_filter> program = build();
  return program;
}

}  // namespace missive::launch
