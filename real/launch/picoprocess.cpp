#include "real/launch/picoprocess.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/init_control.h"
#include "real/launch/init_program.h"
#include "real/launch/seccomp_filter.h"

namespace missive::launch {

namespace {

// Whether this process may mount and make namespaces: capabilities(7). Root in a container often
// may not.
bool has_admin_capability() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  return ::syscall(SYS_capget, &header, sets.data()) == 0 &&
         (sets[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN)) != 0;
}

}  // namespace

std::string picoprocess_unavailable() {
  if (has_admin_capability()) return {};
  return "needs root (CAP_SYS_ADMIN), or user namespaces for this user "
         "(kernel.unprivileged_userns_clone)";
}

void gain_mount_rights() {
  if (has_admin_capability()) return;
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    throw NotAvailable(std::string("the real launch path needs root or a user namespace, and this "
                                   "host refuses one: ") +
                       std::strerror(errno));
  }
  const auto write = [](const char* file, const std::string& text) {
    const UniqueFd fd(::open(file, O_WRONLY | O_CLOEXEC));
    if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw NotAvailable(std::string("cannot map users into a user namespace (") + file +
                         "): " + std::strerror(errno));
    }
  };
  write("/proc/self/setgroups", "deny");
  write("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
  write("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
}

struct Picoprocess::Impl {
  InitProcess process;
  ~Impl() { kill_init(process); }
};

Picoprocess::Picoprocess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Picoprocess::Picoprocess(Picoprocess&&) noexcept = default;
Picoprocess& Picoprocess::operator=(Picoprocess&&) noexcept = default;
Picoprocess::~Picoprocess() = default;

void Picoprocess::prepare_program() {
  (void)seccomp_program();
  (void)init_program();
  (void)loader_program();
}

Picoprocess Picoprocess::create() {
  const std::string who = "cannot make a picoprocess";
  if (const std::string why = picoprocess_unavailable(); !why.empty()) {
    throw NotAvailable(who + ": " + why);
  }
  auto impl = std::make_unique<Impl>();
  impl->process = make_init({}, CLONE_NEWPID, who);
  return Picoprocess(std::move(impl));
}

std::int64_t Picoprocess::prepared() { return await_prepared(impl_->process); }

void Picoprocess::start(const UniqueFd& root, const Environment& environment, int output, int log,
                        const MappedProgram* mapped) {
  start_application(impl_->process, &root, environment, output, log, mapped);
}

pid_t Picoprocess::pid() const { return impl_->process.pid; }
int Picoprocess::pidfd() const { return impl_->process.pidfd.get(); }
bool Picoprocess::running() { return impl_ != nullptr && alive(impl_->process); }

}  // namespace missive::launch
