#include "real/launch/picoprocess_init.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/launch/init_mounts.h"

namespace missive::launch {

const char* describe(Step step) {
  switch (step) {
    case Step::none:
      return "nothing";
    case Step::namespaces:
      return "making its namespaces";
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
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const Report report{step, error, std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
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
  const bool full = init.confinement == Confinement::full;
  Step step = full && ::unshare(kOwnNamespaces) != 0 ? Step::namespaces : prepare_mounts(init);
  if (step == Step::none && init.root >= 0) {
    step = place_root(init.root, init.display, init.display_name);
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
    step = place_root(received.root, received.display, received.display_name);
  }
  pid_t application = -1;
  if (step == Step::none) {
    // vfork(2) on purpose: copying this memory, a copy of the launcher's, would be the dearest part
    // of a start; and what happens until exec is a few bare system calls, whose failure it brings
    // back.
    application = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
    if (application == 0) {
      failed = become_application(init, received);  // NOLINT(clang-analyzer-unix.Vfork)
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
