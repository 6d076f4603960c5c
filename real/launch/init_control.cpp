#include "real/launch/init_control.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/fault_handler.h"
#include "real/launch/init_program.h"
#include "real/launch/init_protocol.h"
#include "real/launch/mounts.h"
#include "real/launch/seccomp_filter.h"

namespace missive::launch {

namespace {

constexpr int kAnswerMs = 10'000;  // init does a few dozen system calls; longer means it hangs

// Waits for the report of init, or of the loader, on a step; returns what it says, or throws when
// it says nothing.
Report await_report(const UniqueFd& control, const std::string& what,
                    const std::string& whose = "its init") {
  pollfd ready{control.get(), POLLIN, 0};
  int n = 0;
  do {
    n = ::poll(&ready, 1, kAnswerMs);
  } while (n < 0 && errno == EINTR);
  if (n == 0) throw RunError(what + ": no answer from " + whose + " within 10 s");
  Report report;
  ssize_t size = 0;
  do {
    // ECONNRESET comes first, and once, when init ended with a message of ours unread.
    size = ::recv(control.get(), &report, sizeof report, 0);
  } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  if (size != static_cast<ssize_t>(sizeof report)) {
    throw RunError(what + ": " + whose + " died");
  }
  return report;
}

// New namespaces were asked for in vain.
[[noreturn]] void throw_refused(const std::string& who, int error) {
  const std::string why = std::strerror(error);
  if (error == EPERM || error == ENOSYS || error == EINVAL) {
    throw NotAvailable(who + ": new namespaces refused (" + why + ")");
  }
  throw RunError(who + ": " + why);
}

void append(std::string& message, const std::string& text, const char* what) {
  if (text.find('\0') != std::string::npos) {
    throw InputError(std::string("cannot start the application: ") + what + " contains a NUL");
  }
  message.append(text).push_back('\0');
}

std::string start_message(const Environment& environment, bool late_root, bool display,
                          const MappedProgram* mapped) {
  if (environment.command.empty() || environment.command.front().empty()) {
    throw InputError("cannot start the application: its command is empty");
  }
  std::vector<std::string> programs;
  if (mapped == nullptr) programs = programs_to_try(environment);
  const StartMessage head{late_root ? 1U : 0U,
                          static_cast<std::uint32_t>(programs.size()),
                          static_cast<std::uint32_t>(environment.command.size()),
                          static_cast<std::uint32_t>(environment.variables.size()),
                          display ? 1U : 0U,
                          mapped != nullptr ? 1U : 0U,
                          mapped != nullptr && mapped->watch != nullptr ? 1U : 0U};
  std::string message(sizeof head, '\0');
  std::memcpy(message.data(), &head, sizeof head);
  for (const std::string& each : programs) append(message, each, "its path");
  for (const std::string& each : environment.command) append(message, each, "an argument");
  for (const std::string& each : environment.variables) append(message, each, "a variable");
  if (display) append(message, environment.x11_socket.filename(), "the display's name");
  if (message.size() > kMaxMessage ||
      programs.size() + environment.command.size() + environment.variables.size() > kMaxStrings) {
    throw InputError("cannot start the application: command and environment exceed 64 KiB");
  }
  return message;
}

// What init needs for its preparation; nothing in it comes from outside.
std::string prepare_message(const InitRequest& request) {
  PrepareMessage head{request.confinement, request.root >= 0 ? 1U : 0U,
                      request.display >= 0 ? 1U : 0U, 0};
  std::span<const sock_filter> filter;
  if (request.confinement == Confinement::full) filter = seccomp_program();
  head.filter = static_cast<std::uint32_t>(filter.size());
  std::string message(sizeof head + filter.size_bytes(), '\0');
  std::memcpy(message.data(), &head, sizeof head);
  if (!filter.empty()) {
    std::memcpy(message.data() + sizeof head, filter.data(), filter.size_bytes());
  }
  if (request.display >= 0) message.append(request.display_name).push_back('\0');
  return message;
}

[[noreturn]] void throw_not_started(const Report& report, const Environment& environment) {
  std::string step = describe(report.step);
  if (report.step == Step::exec) step += " " + environment.command.front();
  throw RunError("cannot start the application: " + step + ": " + std::strerror(report.error));
}

void send_with_fds(const UniqueFd& control, std::string& text, std::span<const int> fds,
                   const std::string& what) {
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> buffer{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = buffer.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  if (::sendmsg(control.get(), &message, MSG_NOSIGNAL) < 0) {
    throw_errno(what + ": sending to its init");
  }
}

// A socket with the plan in it; returns our end of it.
UniqueFd tell_loader(const LoadPlan& plan, UniqueFd& inside, const std::string& what) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_errno(what + ": socket pair");
  }
  UniqueFd ours(ends[0]);
  inside = UniqueFd(ends[1]);
  if (::send(ours.get(), &plan, sizeof plan, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof plan)) {
    throw_errno(what + ": sending to its loader");
  }
  return ours;
}

// What the loader says once everything is mapped, with the userfaultfd of its memory.
Placed await_placed(const UniqueFd& loader, UniqueFd& faults, const std::string& what) {
  pollfd ready{loader.get(), POLLIN, 0};
  int n = 0;
  do {
    n = ::poll(&ready, 1, kAnswerMs);
  } while (n < 0 && errno == EINTR);
  if (n == 0) throw RunError(what + ": no answer from its loader within 10 s");
  Placed placed;
  iovec part{&placed, sizeof placed};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> rights{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = rights.data();
  message.msg_controllen = rights.size();
  const ssize_t size = ::recvmsg(loader.get(), &message, MSG_CMSG_CLOEXEC);
  const cmsghdr* const given = CMSG_FIRSTHDR(&message);
  if (size == static_cast<ssize_t>(sizeof placed) && given != nullptr) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(given), sizeof fd);
    faults = UniqueFd(fd);
  } else if (size != static_cast<ssize_t>(sizeof placed.report) ||
             placed.report.step == Step::none) {
    throw RunError(what + ": its loader died");
  }
  return placed;
}

// Lazily, between the mapping and the first look at it: from here on the launcher is asked.
Report watch_program(const InitProcess& process, const UniqueFd& loader,
                     const MappedProgram& mapped, const std::string& what) {
  UniqueFd faults;
  const Placed placed = await_placed(loader, faults, what);
  if (placed.report.step != Step::none) return placed.report;
  const KeepMessage keep;
  std::string message(sizeof keep, '\0');
  std::memcpy(message.data(), &keep, sizeof keep);
  send_with_fds(process.control, message, std::array{faults.get()}, what);
  mapped.watch->begin(std::move(faults), placed.base, process.pidfd.get());
  const char go = 1;
  if (::send(loader.get(), &go, sizeof go, MSG_NOSIGNAL) != sizeof go)
    throw_errno(what + ": sending to its loader");
  return placed.report;
}

}  // namespace

// execvp(3)'s rule: a name with a slash is a path, any other is tried in each directory of PATH.
std::vector<std::string> programs_to_try(const Environment& environment) {
  const std::string& name = environment.command.front();
  if (name.find('/') != std::string::npos) return {name};
  std::string path = "/usr/bin:/bin";
  for (const std::string& each : environment.variables) {
    if (each.starts_with("PATH=")) path = each.substr(5);
  }
  std::vector<std::string> programs;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    if (end > at) programs.push_back(path.substr(at, end - at) + "/" + name);
    at = end + 1;
  }
  return programs;
}

InitProcess make_init(const InitRequest& request, std::uint64_t namespaces,
                      const std::string& who) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_errno(who + ": socket pair");
  }
  InitProcess made;
  made.who = who;
  made.control = UniqueFd(ends[0]);
  const UniqueFd inside = above_standard(UniqueFd(ends[1]));
  std::string message = prepare_message(request);
  std::vector<int> fds;
  if (request.root >= 0) fds.push_back(request.root);
  if (request.display >= 0) fds.push_back(request.display);
  send_with_fds(made.control, message, fds, who);
  made.start = std::make_unique<InitStart>(init_program().get(), inside.get());
  made.pid = made.start->spawn(namespaces, made.pidfd);
  if (made.pid < 0) throw_refused(who, errno);
  return made;  // `inside` is closed here: init has its copy, and ours would hide its death
}

std::int64_t await_prepared(InitProcess& process) {
  if (process.prepared_ns != 0) return process.prepared_ns;
  const Report report = await_report(process.control, process.who);
  if (report.step == Step::namespaces) throw_refused(process.who, report.error);
  if (report.step != Step::none) {
    throw RunError(process.who + ": " + describe(report.step) + ": " + std::strerror(report.error));
  }
  return process.prepared_ns = report.at_ns;
}

void start_application(InitProcess& process, const UniqueFd* root, const Environment& environment,
                       int output, int log, const MappedProgram* mapped) {
  const std::string what = "cannot start the application";
  UniqueFd display, loader, inside, faults;
  if (root != nullptr && !environment.x11_socket.empty()) {
    display = clone_mount(environment.x11_socket);
  }
  std::string message =
      start_message(environment, root != nullptr, static_cast<bool>(display), mapped);
  await_prepared(process);
  std::vector<int> fds{output, log};
  if (root != nullptr) fds.push_back(root->get());
  if (display) fds.push_back(display.get());
  if (mapped != nullptr) {
    loader = tell_loader(mapped->plan, inside, what);
    fds.insert(fds.end(), {loader_program().get(), inside.get(), mapped->image.get()});
    if (mapped->watch != nullptr) {
      faults = open_fault_device();
      fds.push_back(faults.get());
    }
  }
  send_with_fds(process.control, message, fds, what);
  Report report = await_report(process.control, what);
  inside.reset();  // ours would hide its death
  if (report.step == Step::none && loader && mapped->watch != nullptr) {
    report = watch_program(process, loader, *mapped, what);
  }
  if (report.step == Step::none && loader) {
    report = await_report(loader, what, "its loader");
  }
  if (report.step != Step::none) throw_not_started(report, environment);
}

namespace {

void reap(InitProcess& process) noexcept {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process.pidfd.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
  process.pid = -1;
  process.start.reset();
  process.pidfd.reset();
  process.control.reset();
}

}  // namespace

void kill_init(InitProcess& process) noexcept {
  if (process.pid < 0) return;
  // The end of a pid namespace's init is the end of every process in it, and init is not reaped
  // before they all are: pid_namespaces(7).
  ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), SIGKILL, nullptr, 0);
  reap(process);
}

void dismiss_init(InitProcess& process) noexcept {
  if (process.pid < 0) return;
  process.control.reset();
  pollfd ended{process.pidfd.get(), POLLIN, 0};
  int n = 0;
  do {
    n = ::poll(&ended, 1, kAnswerMs);
  } while (n < 0 && errno == EINTR);
  if (n == 0) ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), SIGKILL, nullptr, 0);
  reap(process);
}

bool alive(const InitProcess& process) {
  if (process.pid < 0) return false;
  pollfd ended{process.pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 0;
}

}  // namespace missive::launch
