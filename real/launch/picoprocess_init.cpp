#include "real/launch/picoprocess_init.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace missive::launch {

const char* describe(Step step) {
  switch (step) {
    case Step::none:
      return "nothing";
    case Step::make_private:
      return "making its mounts private";
    case Step::new_root:
      return "mounting its first root";
    case Step::scratch:
      return "mounting its private tmpfs";
    case Step::devices:
      return "making its devices";
    case Step::process_list:
      return "mounting its /proc";
    case Step::leave_host:
      return "leaving the host's file system";
    case Step::loopback:
      return "bringing its loopback up";
    case Step::receive:
      return "receiving the start message";
    case Step::place_root:
      return "placing the delivered root";
    case Step::place_scratch:
      return "placing private mounts (the image needs /proc /dev /tmp /run /home /var/tmp)";
    case Step::display:
      return "binding the display's socket";
    case Step::enter_root:
      return "entering the delivered root";
    case Step::fork:
      return "making the application's process";
    case Step::privileges:
      return "dropping privileges";
    case Step::filter:
      return "installing the seccomp filter";
    case Step::exec:
      return "exec";
  }
  return "an unknown step";
}

namespace {

// The directories of the first root that start() moves into the delivered one.
struct Scratch {
  const char* name;         // below the first root
  const char* destination;  // below the delivered root
  const char* mode;
  unsigned attributes;
};
constexpr unsigned kNoDevices = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::array kScratch{
    Scratch{"tmp", "root/tmp", "1777", kNoDevices},
    Scratch{"run", "root/run", "755", kNoDevices},
    Scratch{"home", "root/home", "755", kNoDevices},
    Scratch{"vartmp", "root/var/tmp", "1777", kNoDevices},
    Scratch{"dev", "root/dev", "755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC},
};

struct Device {
  const char* name;
  const char* host;
  unsigned major, minor;
};
constexpr std::array kDevices{
    Device{"dev/null", "/dev/null", 1, 3},       Device{"dev/zero", "/dev/zero", 1, 5},
    Device{"dev/full", "/dev/full", 1, 7},       Device{"dev/random", "/dev/random", 1, 8},
    Device{"dev/urandom", "/dev/urandom", 1, 9}, Device{"dev/tty", "/dev/tty", 5, 0},
};

// A new file system as a detached mount, or -1. Plain calls only; mounts.h's new_mount() throws.
int mount_fd(const char* type, const char* key, const char* value, unsigned attributes) {
  const int context = ::fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  int mount = -1;
  if ((key == nullptr || ::fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) == 0) &&
      ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    mount = ::fsmount(context, FSMOUNT_CLOEXEC, attributes);
  }
  const int error = errno;
  ::close(context);
  errno = error;
  return mount;
}

bool attach(int mount, int directory, const char* name) {
  return ::move_mount(mount, "", directory, name, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

// Mounts a new file system on `name` below `root`.
bool mount_at(int root, const char* name, const char* type, const char* key, const char* value,
              unsigned attributes) {
  if (::mkdirat(root, name, 0755) != 0 && errno != EEXIST) return false;
  const int mount = mount_fd(type, key, value, attributes);
  if (mount < 0) return false;
  const bool done = attach(mount, root, name);
  ::close(mount);
  return done;
}

bool make_device(int root, const Device& device) {
  if (::mknodat(root, device.name, S_IFCHR | 0666, makedev(device.major, device.minor)) == 0) {
    return ::fchmodat(root, device.name, 0666, 0) == 0;
  }
  if (errno != EPERM) return false;
  // In a user namespace nobody may make devices: borrow the host's, this one node only.
  const int file = ::openat(root, device.name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
  const int mount = ::open_tree(AT_FDCWD, device.host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  const bool done = file >= 0 && mount >= 0 && attach(mount, root, device.name);
  ::close(file);
  ::close(mount);
  return done;
}

bool make_devices(int root) {
  for (const Device& device : kDevices) {
    if (!make_device(root, device)) return false;
  }
  return mount_at(root, "dev/shm", "tmpfs", "mode", "1777", kNoDevices) &&
         mount_at(root, "dev/pts", "devpts", "ptmxmode", "0666",
                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) &&
         ::symlinkat("pts/ptmx", root, "dev/ptmx") == 0 &&
         ::symlinkat("/proc/self/fd", root, "dev/fd") == 0 &&
         ::symlinkat("/proc/self/fd/0", root, "dev/stdin") == 0 &&
         ::symlinkat("/proc/self/fd/1", root, "dev/stdout") == 0 &&
         ::symlinkat("/proc/self/fd/2", root, "dev/stderr") == 0;
}

bool give(int root, const char* path, mode_t mode, bool maps_user) {
  if (::mkdirat(root, path, mode) != 0) return false;
  return !maps_user || ::fchownat(root, path, kUser, kUser, 0) == 0;
}

bool make_scratch(int root, bool maps_user) {
  for (const Scratch& each : kScratch) {
    if (!mount_at(root, each.name, "tmpfs", "mode", each.mode, each.attributes)) return false;
  }
  return give(root, "home/u", 0755, maps_user) && ::mkdirat(root, "run/user", 0755) == 0 &&
         give(root, "run/user/1000", 0700, maps_user) && ::mkdirat(root, "run/lock", 01777) == 0 &&
         ::mkdirat(root, "tmp/.X11-unix", 01777) == 0;
}

bool loopback_up() {
  const int probe = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool done = ::ioctl(probe, SIOCSIFFLAGS, &request) == 0;
  ::close(probe);
  return done;
}

// Everything that can be done before the image is there. Afterwards "/" is a private tmpfs with an
// empty directory "root", and nothing of the host's file system is reachable.
Step prepare(const Init& init) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return Step::make_private;
  ::umask(0);
  const int root = mount_fd("tmpfs", "mode", "755", kNoDevices);
  // Placed over "/": path look-ups still start below it, file-descriptor-relative ones in it.
  if (root < 0 || !attach(root, AT_FDCWD, "/") || ::mkdirat(root, "root", 0755) != 0) {
    return Step::new_root;
  }
  if (!make_scratch(root, init.maps_user)) return Step::scratch;
  if (!make_devices(root)) return Step::devices;
  if (!mount_at(root, "proc", "proc", nullptr, nullptr, kNoDevices | MOUNT_ATTR_NOEXEC)) {
    return Step::process_list;
  }
  // pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one, then goes.
  if (::fchdir(root) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0 ||
      ::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) {
    return Step::leave_host;
  }
  ::close(root);
  ::umask(022);
  if (init.confinement == Confinement::none) return Step::none;
  if (!loopback_up()) return Step::loopback;
  constexpr char kName[] = "picoprocess";
  ::sethostname(kName, sizeof kName - 1);  // a failure changes nothing that matters
  return Step::none;
}

struct Received {
  int root = -1, output = -1, log = -1, display = -1;
  char** programs = nullptr;
  char** arguments = nullptr;
  char** variables = nullptr;
  const char* display_name = nullptr;
};

// Cuts `count` strings off `text`, appends a null pointer. Null when the text is too short.
char** take_strings(std::span<char>& text, std::uint32_t count, std::span<char*>& pointers) {
  char** const first = pointers.data();
  if (count + 1 > pointers.size()) return nullptr;
  for (std::uint32_t i = 0; i < count; ++i) {
    char* const end = static_cast<char*>(std::memchr(text.data(), 0, text.size()));
    if (end == nullptr) return nullptr;
    pointers[i] = text.data();
    text = text.subspan(static_cast<std::size_t>(end + 1 - text.data()));
  }
  pointers[count] = nullptr;
  pointers = pointers.subspan(count + 1);
  return first;
}

// Waits for the start message. False when it is malformed; exits when the launcher is gone.
bool receive(const Init& init, Received& received) {
  iovec part{init.message.data(), init.message.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t n = -1;
  do {
    n = ::recvmsg(init.control, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n == 0) ::_exit(0);
  errno = EBADMSG;
  StartMessage head;
  if (n < static_cast<ssize_t>(sizeof head) ||
      (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return false;
  }
  std::memcpy(&head, init.message.data(), sizeof head);
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  const std::size_t expected = 2 + (head.late_root != 0 ? 1 : 0) + (head.display != 0 ? 1 : 0);
  if (rights == nullptr || rights->cmsg_len != CMSG_LEN(expected * sizeof(int))) return false;
  std::array<int, 4> fds{-1, -1, -1, -1};
  std::memcpy(fds.data(), CMSG_DATA(rights), expected * sizeof(int));
  received.output = fds[0];
  received.log = fds[1];
  received.root = fds[2];
  received.display = fds[3];
  std::span<char> text =
      init.message.subspan(sizeof head, static_cast<std::size_t>(n) - sizeof head);
  std::span<char*> pointers = init.pointers;
  received.programs = take_strings(text, head.programs, pointers);
  if (received.programs == nullptr) return false;
  received.arguments = take_strings(text, head.arguments, pointers);
  if (received.arguments == nullptr) return false;
  received.variables = take_strings(text, head.variables, pointers);
  if (received.variables == nullptr) return false;
  received.display_name = text.data();
  return head.display == 0 || std::memchr(text.data(), 0, text.size()) != nullptr;
}

bool place_display(int display, const char* name) {
  const int directory = ::open("/tmp/.X11-unix", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int file =
      ::openat(directory, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
  const bool done = file >= 0 && attach(display, directory, name);
  ::close(file);
  ::close(directory);
  return done;
}

// Puts the delivered root into place with the private mounts in it and makes it "/".
Step place(int root, int display, const char* display_name) {
  if (display >= 0 && !place_display(display, display_name)) return Step::display;
  if (!attach(root, AT_FDCWD, "/root")) return Step::place_root;
  for (const Scratch& each : kScratch) {
    if (::move_mount(AT_FDCWD, each.name, AT_FDCWD, each.destination, 0) != 0) {
      return Step::place_scratch;
    }
  }
  if (::move_mount(AT_FDCWD, "proc", AT_FDCWD, "root/proc", 0) != 0) return Step::place_scratch;
  // As switch_root(8) does: what is left below "/" is an empty private tmpfs. Moving is cheaper
  // than a second pivot_root and umount, which waits for an RCU grace period.
  if (::chdir("root") != 0 || ::move_mount(AT_FDCWD, ".", AT_FDCWD, "/", 0) != 0 ||
      ::chroot(".") != 0) {
    return Step::enter_root;
  }
  return Step::none;
}

// No privilege may come back: capabilities(7), "securebits"; no_new_privs.
bool drop_privileges(bool maps_user) {
  for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  if (errno != EINVAL) return false;  // EINVAL: past the last capability
  if (::prctl(PR_SET_SECUREBITS,
              SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                  SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                  SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
              0, 0, 0) != 0) {
    return false;
  }
  // Bare calls: glibc's setresuid would make every thread of the launcher's copy follow.
  if (maps_user && (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
                    ::syscall(SYS_setresgid, kUser, kUser, kUser) != 0 ||
                    ::syscall(SYS_setresuid, kUser, kUser, kUser) != 0)) {
    return false;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0 &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// Tries the programs in order, as execvp(3) does. Returns only when none could be started.
Step try_programs(const Received& received) {
  int error = ENOENT;
  for (char** each = received.programs; *each != nullptr; ++each) {
    ::execve(*each, received.arguments, received.variables);
    if (errno != ENOENT && errno != ENOTDIR) error = errno;  // as execvp(3) reports
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  errno = error;
  return Step::exec;
}

// In the application's process, after vfork: everything up to exec. Returns the step that failed.
Step become_application(const Init& init, const Received& received) {
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(received.output, 1) < 0 ||
      ::dup2(received.log, 2) < 0 || ::syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
    return Step::privileges;
  }
  const rlimit no_core{0, 0};
  if (::setsid() < 0 || ::setrlimit(RLIMIT_CORE, &no_core) != 0 ||
      !drop_privileges(init.maps_user)) {
    return Step::privileges;
  }
  if (::chdir("/home/u") != 0) return Step::privileges;
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (init.confinement == Confinement::none) return try_programs(received);
  const sock_fprog program{static_cast<unsigned short>(init.filter.size()),
                           const_cast<sock_filter*>(init.filter.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return Step::filter;
  return try_programs(received);
}

// Kills all descendants. For Confinement::none only: in a pid namespace the kernel does it when
// init ends. As sub-reaper (PR_SET_CHILD_SUBREAPER) this process inherits whatever its children
// leave.
void kill_descendants() {
  std::array<char, 4096> text;
  for (;;) {
    const int list = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    const ssize_t n = ::read(list, text.data(), text.size());
    ::close(list);
    pid_t pid = 0;
    for (ssize_t i = 0; i < n; ++i) {
      const char c = text[static_cast<std::size_t>(i)];
      if (c >= '0' && c <= '9') {
        pid = pid * 10 + (c - '0');
      } else if (pid > 0) {
        ::kill(pid, SIGKILL);
        pid = 0;
      }
    }
    if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) return;
  }
}

// Reaps until the application ends or the launcher is gone.
[[noreturn]] void keep_house(const Init& init, pid_t application) {
  const auto leave = [&](int status) {
    if (init.confinement == Confinement::none) kill_descendants();
    ::_exit(status);
  };
  sigset_t none;
  sigemptyset(&none);
  for (;;) {
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (ended == application) {
        leave(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
      }
    }
    pollfd launcher{init.control, POLLIN, 0};
    // SIGCHLD is open only inside ppoll(2), so none is missed between waitpid and here.
    if (::ppoll(&launcher, 1, nullptr, &none) > 0) leave(128 + SIGKILL);
  }
}

void send_report(int control, Step step, int error) {
  const Report report{step, error};
  ::send(control, &report, sizeof report, MSG_NOSIGNAL);
}

void wake(int) {}

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
  action.sa_handler = wake;
  ::sigaction(SIGCHLD, &action, nullptr);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

// Keeps the descriptors that are needed, at 0 (and 3, 4), and closes all others: nothing the
// launcher has open may live on in here, least of all another picoprocess's control socket, whose
// end of file means "the launcher is gone".
void keep_descriptors(Init& init) {
  // Out of the way first, so that no target overwrites a source.
  const auto high = [](int fd) { return fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 64); };
  const int control = high(init.control);
  const int root = high(init.root);
  const int display = high(init.display);
  // Its own end takes 0 to 2, so that descriptors received later never collide with those numbers.
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(control, fd) < 0) ::_exit(126);
  }
  init.control = 0;
  ::close(3);
  ::close(4);
  if (root >= 0) init.root = ::dup3(root, 3, O_CLOEXEC);
  if (display >= 0) init.display = ::dup3(display, 4, O_CLOEXEC);
  ::syscall(SYS_close_range, 5U, ~0U, 0U);
}

}  // namespace

void run_init(const Init& given) {
  Init init = given;
  keep_descriptors(init);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::setsid();
  if (init.confinement == Confinement::none) ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  reset_signals();

  errno = 0;
  Step step = prepare(init);
  if (step == Step::none && init.root >= 0) {
    step = place(init.root, init.display, init.display_name);
    const int error = errno;
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    errno = error;
  }
  send_report(init.control, step, errno);
  if (step != Step::none) ::_exit(126);

  Received received;
  // Volatile: written by the vfork child, which shares this memory until its exec.
  volatile Step failed = Step::none;
  volatile int error = 0;
  if (!receive(init, received)) {
    step = Step::receive;
  } else if (init.root < 0) {
    step = place(received.root, received.display, received.display_name);
  }
  pid_t application = -1;
  if (step == Step::none) {
    application = ::vfork();
    if (application == 0) {
      failed = become_application(init, received);
      error = errno;
      ::_exit(127);
    }
    if (application < 0) {
      step = Step::fork;
    } else if (failed != Step::none) {
      step = failed;
      errno = error;
    }
  }
  send_report(init.control, step, errno);
  if (step != Step::none) ::_exit(126);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  if (init.confinement == Confinement::full) drop_privileges(false);  // reaping needs none
  keep_house(init, application);
}

}  // namespace missive::launch
