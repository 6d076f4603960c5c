// A picoprocess that holds a service: own user, pid, network, IPC, UTS and mount namespaces, an
// empty read-only root, an unprivileged uid, an address-space limit, and a seccomp filter that
// leaves it futex and exit. The parts are those of real/launch/picoprocess.h; what it does without
// is what a service needs none of: devices, private tmpfs, /proc, a loopback, a deny list long
// enough for ordinary applications.

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real/domains/mechanism_list.h"
#include "real/domains/owned_process.h"
#include "real/domains/program_file.h"
#include "real/domains/shared_channel.h"

namespace missive::domains {

namespace {

constexpr char kWho[] = "picoprocess";
constexpr unsigned kNobody = 65534;

enum Step : std::int32_t {
  kNone,
  kCredentials,
  kPrivate,
  kEmptyRoot,
  kLeaveHost,
  kLimits,
  kDescriptors,
  kExec
};

constexpr const char* kSteps[] = {"nothing",
                                  "changing to an unprivileged uid",
                                  "making its mounts private",
                                  "mounting its empty root",
                                  "leaving the host's file system",
                                  "setting its limits",
                                  "passing its memory",
                                  "starting its program"};

struct Start {
  SharedChannel* channel;
  int program, parent;
  int cpu;
};

// setresuid(2) and its kin by bare calls: glibc would have every thread of this copy follow.
bool change_credentials() {
  ::syscall(SYS_setgroups, 0, nullptr);  // refused where the host gave only one uid: then none came
  return ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) == 0 &&
         ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) == 0;
}

int empty_root() {
  const int context = ::fsopen("tmpfs", FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  if (::fsconfig(context, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) != 0 ||
      ::fsconfig(context, FSCONFIG_SET_STRING, "size", "4096", 0) != 0 ||
      ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return -1;
  }
  return ::fsmount(context, FSMOUNT_CLOEXEC,
                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

// pivot_root(2), "pivot_root(".", ".")".
bool leave_host(int root) {
  return ::fchdir(root) == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
         ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
}

bool set_limits(std::size_t shared_bytes) {
  // Program, stack, vdso, and the messages; the service allocates nothing.
  constexpr std::size_t kOwn = 4 << 20;
  const rlimit space{shared_bytes + MISSIVE_CONTROL_BYTES + kOwn,
                     shared_bytes + MISSIVE_CONTROL_BYTES + kOwn};
  const rlimit stack{1 << 20, 1 << 20};
  const rlimit none{0, 0};
  return ::setrlimit(RLIMIT_AS, &space) == 0 && ::setrlimit(RLIMIT_STACK, &stack) == 0 &&
         ::setrlimit(RLIMIT_CORE, &none) == 0;
}

Step become_service(const Start& start) {
  die_with_parent(start.parent);
  start.channel->await_go();  // the host has still to give this namespace its uids
  if (!change_credentials()) return kCredentials;
  die_with_parent(start.parent);  // cleared by the change
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kPrivate;
  const int root = empty_root();
  if (root < 0 || ::move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return kEmptyRoot;
  }
  if (!leave_host(root)) return kLeaveHost;
  ::setsid();
  if (!pin_to(start.cpu) || !set_limits(start.channel->bytes())) return kLimits;
  const std::array<int, 2> keep{start.channel->memory(), start.program};
  for (int fd = 0; fd < 3; ++fd) ::close(fd);
  if (!keep_only(keep.data(), 2) || ::fcntl(4, F_SETFD, FD_CLOEXEC) != 0) return kDescriptors;
  reset_signals();
  static char name[] = "service";
  char* arguments[] = {name, nullptr};
  char* variables[] = {nullptr};
  ::syscall(SYS_execveat, 4, "", arguments, variables, AT_EMPTY_PATH);
  return kExec;
}

void child(void* data) {
  const Start& start = *static_cast<Start*>(data);
  const Step step = become_service(start);
  start.channel->control().start_error = errno;
  start.channel->control().start_step = step;
  ::_exit(126);
}

// uid and gid 65534 inside are the same outside for root, and this user for anybody else.
void map_users(const OwnedProcess& process) {
  if (::geteuid() == 0 && process.map_user(kNobody, kNobody, kNobody, kNobody)) return;
  if (process.map_user(kNobody, ::geteuid(), kNobody, ::getegid())) return;
  throw_errno(std::string(kWho) + ": cannot map uids into its user namespace");
}

class PicoprocessDomain final : public Domain {
 public:
  explicit PicoprocessDomain(const DomainOptions& options) : channel_(kWho, options, true) {
    check_cpu(kWho, options.peer_cpu);
    const UniqueFd parent(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    if (!parent) throw_errno(std::string(kWho) + ": pidfd_open");
    Start start{&channel_, service_program_fd(), parent.get(), options.peer_cpu};
    process_.start(kWho,
                   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                       CLONE_NEWNS | CLONE_NEWCGROUP,
                   child, &start);
    map_users(process_);
    channel_.set_turn(MISSIVE_TURN_GO);
    try {
      channel_.await_start(process_);
    } catch (const RunError&) {
      const std::int32_t step = channel_.control().start_step;
      if (step <= kNone || step > kExec) throw;
      throw RunError(std::string(kWho) + ": " + kSteps[step] + ": " +
                     std::strerror(channel_.control().start_error));
    }
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (process_.pid() < 0) throw DomainFault("picoprocess: the domain has ended");
    try {
      return channel_.call(process_, entry, request, reply);
    } catch (const InputError&) {
      throw;  // nothing happened to it
    } catch (...) {
      process_.kill_now();
      throw;
    }
  }

  std::span<std::byte> shared() override { return channel_.shared(); }

 private:
  SharedChannel channel_;
  OwnedProcess process_;
};

// By trying: whether namespaces may be made depends on too much to be asked for.
std::string probe() {
  try {
    DomainOptions options;
    options.max_message = 64;
    PicoprocessDomain(options).call(Entry::null, {}, {});
    return {};
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace

Mechanism picoprocess_mechanism() {
  Mechanism m;
  m.name = kWho;
  m.what =
      "a process in namespaces of its own with an empty root and no system call but futex and "
      "exit; messages copied through shared memory, two futex wake-ups and two switches of the "
      "kernel's for a call";
  m.claims = {.memory = true, .control = true, .time = true, .system_calls = true, .space = true};
  m.unavailable = [] {
    static const std::string why = probe();
    return why;
  };
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    return std::make_unique<PicoprocessDomain>(options);
  };
  return m;
}

}  // namespace missive::domains
