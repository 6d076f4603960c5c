// Containers as users have them, around the service's program: bubblewrap, and crun with an OCI
// bundle. Both get a control group that limits memory and processes where this user may make one.
//
// The tool itself runs as init of one more pid namespace (and, for a user who is not root, in a
// user namespace that allows it): killing that one process is then killing the tool, its monitor
// and the container, whatever state they are in, also when this program dies (PR_SET_PDEATHSIG).

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "real/domains/find_program.h"
#include "real/domains/limits.h"
#include "real/domains/mechanism_list.h"
#include "real/domains/owned_process.h"
#include "real/domains/program_file.h"
#include "real/domains/shared_channel.h"
#include "real/measure/scratch.h"

namespace missive::domains {

namespace {

constexpr unsigned kNobody = 65534;
constexpr std::uint64_t kMemory = 64u << 20;  // of the container, beside the messages
constexpr unsigned kProcesses = 16;           // tool, monitor and service need four

UniqueFd memory_file(const std::string& what) {
  UniqueFd fd(::memfd_create("log", MFD_CLOEXEC));
  if (!fd) throw_errno(what + ": memory file");
  return fd;
}

std::string first_line(const UniqueFd& log) {
  std::array<char, 300> text{};
  const ssize_t n = ::pread(log.get(), text.data(), text.size(), 0);
  const std::string all(text.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  return all.substr(0, all.find('\n'));
}

// What the child does between clone and exec; everything in it was made before.
struct Start {
  SharedChannel* channel;
  const char* program;
  std::vector<char*> arguments;
  std::string variable;  // of its environment, beside PATH; may be empty
  const Limits* limits;
  int parent, null, log, cpu;
  std::vector<int> keep;
  bool own_proc = false;             // in a pid namespace: with a /proc of its own
  const char* hide_mount = nullptr;  // taken away from the tool's view
};

void child(void* data) {
  const Start& s = *static_cast<Start*>(data);
  static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* variables[] = {path, s.variable.empty() ? nullptr : const_cast<char*>(s.variable.c_str()),
                       nullptr};
  die_with_parent(s.parent);
  s.channel->await_go();  // the host may have to map this user first
  const bool mounted =
      !s.own_proc || (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                      ::mount("proc", "/proc", "proc", 0, nullptr) == 0);
  if (s.hide_mount != nullptr) ::umount2(s.hide_mount, MNT_DETACH);
  ::setsid();
  if (mounted && s.limits->join() && pin_to(s.cpu) && ::dup2(s.null, 0) >= 0 &&
      ::dup2(s.log, 1) >= 0 && ::dup2(s.log, 2) >= 0 &&
      keep_only(s.keep.data(), static_cast<int>(s.keep.size()))) {
    reset_signals();
    ::execve(s.program, s.arguments.data(), variables);
  }
  const char* const why = ::strerrordesc_np(errno);
  // The log is still where it was, or 2 by now.
  if (::write(s.log, why, std::strlen(why)) < 0 && ::write(2, why, std::strlen(why)) < 0) {
    ::_exit(125);
  }
  ::_exit(126);
}

// A container tool at work, with the service in it.
class ContainerDomain : public Domain {
 public:
  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (process_.pid() < 0) throw DomainFault(who_ + ": the domain has ended");
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

 protected:
  ContainerDomain(const std::string& who, const DomainOptions& options)
      : who_(who),
        limits_(limits_unavailable().empty()
                    ? Limits(kMemory + options.shared_bytes + 2 * options.max_message, kProcesses)
                    : Limits()),
        channel_(who, options, false),
        cpu_(options.peer_cpu) {}

  // Runs the tool; the service's memory is its descriptor 3, `also` 4.
  void run(const std::string& program, std::vector<std::string> arguments, int also,
           std::uint64_t namespaces, const std::string& hide_mount = {},
           const std::string& variable = {}) {
    check_cpu(who_, cpu_);
    const UniqueFd parent(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const UniqueFd log = memory_file(who_);
    if (!parent || !null) throw_errno(who_ + ": cannot prepare its start");
    Start start{};
    start.channel = &channel_;
    start.program = program.c_str();
    for (std::string& each : arguments) start.arguments.push_back(each.data());
    start.arguments.push_back(nullptr);
    start.variable = variable;
    start.limits = &limits_;
    start.parent = parent.get();
    start.null = null.get();
    start.log = log.get();
    start.cpu = cpu_;
    start.keep = {channel_.memory()};
    if (also >= 0) start.keep.push_back(also);
    start.own_proc = (namespaces & CLONE_NEWNS) != 0;
    start.hide_mount = hide_mount.empty() ? nullptr : hide_mount.c_str();
    process_.start(who_, namespaces, child, &start);
    if ((namespaces & CLONE_NEWUSER) != 0 &&
        !process_.map_user(::geteuid(), ::geteuid(), ::getegid(), ::getegid())) {
      throw_errno(who_ + ": cannot map this user into a user namespace");
    }
    channel_.set_turn(MISSIVE_TURN_GO);
    try {
      channel_.await_start(process_);
      limits_.close();
    } catch (const RunError& e) {
      const std::string said = first_line(log);
      throw RunError(e.what() + (said.empty() ? "" : "; it said: " + said));
    }
  }

  void stop() { process_.kill_now(); }

 private:
  const std::string who_;
  // In this order: the process goes first, its control group last.
  Limits limits_;
  SharedChannel channel_;
  int cpu_;
  OwnedProcess process_;
};

// ---- bubblewrap ----

constexpr char kBwrap[] = "container-bwrap";

class BwrapDomain final : public ContainerDomain {
 public:
  explicit BwrapDomain(const DomainOptions& options) : ContainerDomain(kBwrap, options) {
    // A description of its own: bubblewrap reads it from the current position.
    const std::string path = "/proc/self/fd/" + std::to_string(service_program_fd());
    const UniqueFd program(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!program) throw_errno(std::string(kBwrap) + ": the service's program");
    const std::string nobody = std::to_string(kNobody);
    run(find_program("bwrap"),
        {"bwrap",
         "--unshare-all",
         "--die-with-parent",
         "--new-session",
         "--cap-drop",
         "ALL",
         "--uid",
         nobody,
         "--gid",
         nobody,
         "--clearenv",
         "--perms",
         "0555",
         "--ro-bind-data",
         "4",
         "/service",
         "--proc",
         "/proc",
         "--dev",
         "/dev",
         "--remount-ro",
         "/",
         "--chdir",
         "/",
         "/service"},
        program.get(), CLONE_NEWPID | (::geteuid() == 0 ? 0 : CLONE_NEWUSER));
  }
};

// ---- crun ----

constexpr char kCrun[] = "container-crun";

// What `crun spec` writes, less the terminal and what a service without a C library never sees.
std::string oci_configuration() {
  using nlohmann::json;
  const auto mount = [](const char* where, const char* type, std::vector<std::string> options) {
    return json{{"destination", where}, {"type", type}, {"source", type}, {"options", options}};
  };
  json namespaces = json::array();
  for (const char* type : {"pid", "network", "ipc", "uts", "mount"}) {
    namespaces.push_back({{"type", type}});
  }
  const json configuration = {
      {"ociVersion", "1.0.0"},
      {"process",
       {{"terminal", false},
        {"user", {{"uid", kNobody}, {"gid", kNobody}}},
        {"args", {"/service"}},
        {"cwd", "/"},
        {"capabilities", json::object()},
        {"noNewPrivileges", true}}},
      {"root", {{"path", "rootfs"}, {"readonly", true}}},
      {"hostname", "service"},
      {"mounts",
       {mount("/proc", "proc", {}),
        mount("/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=64k"})}},
      {"linux",
       {{"namespaces", namespaces},
        {"maskedPaths", {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug"}},
        {"readonlyPaths",
         {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}}}};
  return configuration.dump();
}

// crun refuses a host that mounts version 1 and version 2 of control groups side by side; where the
// latter is mounted then, it is hidden from it.
std::string hybrid_mount() {
  std::ifstream in("/proc/self/mounts");
  std::string device, directory, type, rest, found;
  bool first_version = false;
  while (in >> device >> directory >> type && std::getline(in, rest)) {
    if (type == "cgroup") first_version = true;
    if (type == "cgroup2") found = directory;
  }
  return first_version ? found : std::string();
}

// Writes the service's program. Who executes a file that anybody has open for writing is refused
// (ETXTBSY), and a child that another thread clones meanwhile has all that this process has open,
// until it executes: so it is a child that opens this file, and nobody else ever does.
void write_program(const std::filesystem::path& path) {
  struct File {
    const char* path;
    std::span<const std::byte> rest;
  } file{path.c_str(), shared_service_program()};
  OwnedProcess writer;
  writer.start(
      kCrun, 0,
      [](void* data) {
        File& f = *static_cast<File*>(data);
        const int fd = ::open(f.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555);
        while (fd >= 0 && !f.rest.empty()) {
          const ssize_t n = ::write(fd, f.rest.data(), f.rest.size());
          if (n <= 0) ::_exit(1);
          f.rest = f.rest.subspan(static_cast<std::size_t>(n));
        }
        ::_exit(fd >= 0 && ::fchmod(fd, 0555) == 0 ? 0 : 1);
      },
      &file);
  pollfd ended{writer.pidfd(), POLLIN, 0};
  while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
  if (writer.end() != "exit status 0")
    throw RunError(std::string(kCrun) + ": cannot write " + path.string() + "; is the disk full?");
}

// A folder for one container. All of a process are in one working directory: each such has a lock,
// and with it a descriptor. There the program is, too, once for all of them.
class Bundle {
 public:
  Bundle() : all_(shared()) {
    static std::atomic<std::uint64_t> made{0};
    // A child made by fork(2) goes on counting, in the same folder.
    const std::filesystem::path& all = all_->scratch.path();
    path_ = all / (all.filename().string() + "-" + std::to_string(::getpid()) + "-" +
                   std::to_string(made++));
    std::filesystem::create_directory(path_);
  }
  Bundle(const Bundle&) = delete;
  Bundle& operator=(const Bundle&) = delete;
  ~Bundle() {
    std::error_code ignored;  // what is left goes with all others
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path program() const { return all_->program(); }

 private:
  struct Common {
    Common() { write_program(program()); }
    std::filesystem::path program() const { return scratch.path() / "service"; }
    const measure::ScratchDirectory scratch;
  };
  // Until the last container that has it is gone.
  static std::shared_ptr<const Common> shared() {
    static std::mutex mutex;
    static std::weak_ptr<const Common> held;
    const std::lock_guard lock(mutex);
    auto all = held.lock();
    if (!all) held = all = std::make_shared<const Common>();
    return all;
  }

  std::shared_ptr<const Common> all_;
  std::filesystem::path path_;
};

class CrunDomain final : public ContainerDomain {
 public:
  explicit CrunDomain(const DomainOptions& options) : ContainerDomain(kCrun, options) {
    const std::filesystem::path& bundle = bundle_.path();
    for (const char* directory : {"rootfs", "rootfs/proc", "rootfs/dev", "state"}) {
      std::filesystem::create_directory(bundle / directory);
    }
    write(bundle / "config.json", oci_configuration());
    std::filesystem::create_hard_link(bundle_.program(), bundle / "rootfs/service");
    run(find_program("crun"),
        {"crun", "--cgroup-manager=disabled", "--root=" + (bundle / "state").string(), "run",
         "--bundle=" + bundle.string(), "--preserve-fds=1", bundle.filename()},
        // crun starts itself again from a place no container can write to (CVE-2019-5736): a file
        // that it makes, mounts its own program over, and unlinks. Where it is killed in between,
        // the file stays: in this folder, which is the bundle's and goes with it, and not in /tmp.
        -1, CLONE_NEWPID | CLONE_NEWNS, hybrid_mount(),
        "_LIBCONTAINER_STATEDIR=" + (bundle / "state").string());
  }
  // The bundle goes after the process that is rooted in it.
  ~CrunDomain() override { stop(); }

 private:
  static void write(const std::filesystem::path& path, std::string_view text) {
    std::ofstream out(path, std::ios::binary);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    out.close();
    if (!out) throw RunError(std::string(kCrun) + ": cannot write " + path.string());
  }

  Bundle bundle_;
};

template <typename D>
std::string probe(const char* program, const char* package, bool needs_root) {
  if (find_program(program).empty()) {
    return std::string(program) + " is not installed; install the Debian package " + package;
  }
  if (needs_root && ::geteuid() != 0) return "needs root";
  try {
    DomainOptions options;
    options.max_message = 64;
    D(options).call(Entry::null, {}, {});
    return {};
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& e) {
    return e.what();
  }
}

template <typename D>
std::unique_ptr<Domain> make(const DomainOptions& options) {
  return std::make_unique<D>(options);
}

Containment claims() {
  const bool limited = limits_unavailable().empty();
  return {.memory = true,
          .control = true,
          .time = true,
          .system_calls = limited,  // a fork bomb is one
          .space = limited};
}

}  // namespace

Mechanism container_bwrap_mechanism() {
  Mechanism m;
  m.name = kBwrap;
  m.what =
      "a bubblewrap container with every namespace, no capability and an empty root; messages "
      "copied through shared memory, two futex wake-ups and two switches of the kernel's for a "
      "call";
  m.claims = claims();
  m.unavailable = [] {
    static const std::string why = probe<BwrapDomain>("bwrap", "bubblewrap", false);
    return why;
  };
  m.create = make<BwrapDomain>;
  return m;
}

Mechanism container_crun_mechanism() {
  Mechanism m;
  m.name = kCrun;
  m.what =
      "an OCI container run by crun, with an unprivileged uid and no capability; messages copied "
      "through shared memory, two futex wake-ups and two switches of the kernel's for a call";
  m.claims = claims();
  m.unavailable = [] {
    static const std::string why = probe<CrunDomain>("crun", "crun", true);
    return why;
  };
  m.create = make<CrunDomain>;
  return m;
}

}  // namespace missive::domains
