#include "real/launch/ready.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>

#include <X11/Xlib.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::launch {

namespace {

using Clock = std::chrono::steady_clock;

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int remaining_ms(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
}

// Xlib's own handlers end the process; these remember that the connection is gone.
void set_error_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    ::XInitThreads();
    ::XSetErrorHandler([](::Display*, XErrorEvent*) { return 0; });  // a window may be gone already
    ::XSetIOErrorHandler([](::Display*) { return 0; });
  });
}

// A connection that survives the server's death: XSetIOErrorExitHandler(3) keeps Xlib from exiting.
class Connection {
 public:
  explicit Connection(const std::string& name) {
    set_error_handlers();
    display_ = ::XOpenDisplay(name.c_str());
    if (display_ == nullptr) throw RunError("cannot connect to the display " + name);
    ::XSetIOErrorExitHandler(
        display_, [](::Display*, void* self) { static_cast<Connection*>(self)->lost_ = true; },
        this);
  }
  ~Connection() { ::XCloseDisplay(display_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ::Display* get() const { return display_; }
  bool lost() const { return lost_; }

 private:
  ::Display* display_ = nullptr;
  bool lost_ = false;
};

// Waits until `fd` is readable. Throws RunError at the deadline or when `pidfd` ended before.
void await(int fd, Clock::time_point end, int pidfd, const char* what) {
  for (;;) {
    std::array<pollfd, 2> sources{pollfd{fd, POLLIN, 0}, pollfd{pidfd, POLLIN, 0}};
    const int n = ::poll(sources.data(), sources.size(), remaining_ms(end));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(std::string("waiting for ") + what);
    if (sources[0].revents != 0) return;
    if (n == 0) throw RunError(std::string("no ") + what + " before the deadline");
    throw RunError(std::string("the application ended before its ready mark (") + what + ")");
  }
}

}  // namespace

struct Display::Impl {
  std::string name;
  std::filesystem::path socket;
  pid_t pid = -1;
  std::unique_ptr<Connection> keeper;  // the client that keeps the server from terminating

  ~Impl() {
    keeper.reset();
    if (pid < 0) return;
    ::kill(pid, SIGTERM);  // lets it remove its socket and lock file
    for (int i = 0; i < 500; ++i) {
      if (::waitpid(pid, nullptr, WNOHANG) != 0) return;
      ::usleep(2000);
    }
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
};

Display::Display(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Display::Display(Display&&) noexcept = default;
Display& Display::operator=(Display&&) noexcept = default;
Display::~Display() = default;
const std::string& Display::name() const { return impl_->name; }
const std::filesystem::path& Display::socket() const { return impl_->socket; }

namespace {

// Spawns Xvfb, which writes its display number into `number`. In a process group of its own, so
// that a Ctrl-C at the terminal reaches the launcher only.
pid_t spawn_server(int number) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, number, 3);
  for (int fd = 0; fd <= 2; ++fd) {
    ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  }
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  // The abstract socket stays on: it is by that one that -displayfd finds a number in use, while it
  // would silently replace another server's socket file.
  const char* const arguments[] = {"Xvfb",        "-displayfd", "3",   "-screen",    "0",
                                   "1280x800x24", "-nolisten",  "tcp", "-terminate", nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, "Xvfb", &actions, &attributes,
                                   const_cast<char* const*>(arguments), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error == ENOENT) throw NotAvailable("Xvfb is not installed (Debian package xvfb)");
  if (error != 0) throw RunError(std::string("cannot start Xvfb: ") + std::strerror(error));
  return pid;
}

}  // namespace

Display Display::start() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot start Xvfb: pipe");
  const UniqueFd number(ends[0]);
  UniqueFd inside(ends[1]);
  auto impl = std::make_unique<Impl>();
  impl->pid = spawn_server(inside.get());
  inside.reset();
  std::string text;
  const auto end = Clock::now() + std::chrono::seconds(10);
  while (text.find('\n') == std::string::npos) {
    await(number.get(), end, -1, "answer from Xvfb");
    std::array<char, 16> part;
    const ssize_t n = ::read(number.get(), part.data(), part.size());
    if (n <= 0 || text.size() > 16) throw RunError("Xvfb ended without opening a display");
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  text.pop_back();
  impl->name = ":" + text;
  impl->socket = "/tmp/.X11-unix/X" + text;
  impl->keeper = std::make_unique<Connection>(impl->name);
  // Lets uid 1000 in, as `xhost +si:localuser:#1000` would.
  char type[] = "localuser";
  char value[] = "#1000";
  XServerInterpretedAddress user{sizeof type - 1, sizeof value - 1, type, value};
  XHostAddress address{FamilyServerInterpreted, sizeof user, reinterpret_cast<char*>(&user)};
  ::XAddHost(impl->keeper->get(), &address);
  ::XSync(impl->keeper->get(), False);
  return Display(std::move(impl));
}

struct WindowWatcher::Impl {
  explicit Impl(const std::string& name) : connection(name) {}
  Connection connection;
};

WindowWatcher::WindowWatcher(const Display& display)
    : impl_(std::make_unique<Impl>(display.name())) {
  ::Display* const x = impl_->connection.get();
  ::XSelectInput(x, DefaultRootWindow(x), SubstructureNotifyMask);
  ::XSync(x, False);
}

WindowWatcher::~WindowWatcher() = default;

std::int64_t WindowWatcher::wait(std::chrono::milliseconds deadline, int pidfd) {
  ::Display* const x = impl_->connection.get();
  const auto end = Clock::now() + deadline;
  for (;;) {
    while (!impl_->connection.lost() && ::XPending(x) > 0) {
      XEvent event{};
      ::XNextEvent(x, &event);
      if (event.type != MapNotify) continue;
      const std::int64_t at = now_ns();
      XWindowAttributes window{};
      if (::XGetWindowAttributes(x, event.xmap.window, &window) != 0 && window.width >= 60 &&
          window.height >= 40) {
        return at;
      }
    }
    if (impl_->connection.lost()) throw RunError("the display ended while waiting for a window");
    await(ConnectionNumber(x), end, pidfd, "window");
  }
}

std::int64_t wait_for_output(int fd, std::chrono::milliseconds deadline, int pidfd) {
  const auto end = Clock::now() + deadline;
  await(fd, end, pidfd, "output");
  const std::int64_t at = now_ns();
  char byte = 0;
  ssize_t n = 0;
  do {
    n = ::read(fd, &byte, 1);
  } while (n < 0 && errno == EINTR);
  if (n == 1) return at;
  throw RunError("the application ended before its ready mark (output)");
}

}  // namespace missive::launch
