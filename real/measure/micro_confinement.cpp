// Primitives of shutting a process in: user maps, mounts, a new root, a system-call filter, another
// program; and of a forked process's first steps. All of them happen in a child, which times them
// itself and leaves the times in memory it shares with its parent.

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <thread>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"
#include "real/measure/micro_process.h"

namespace missive::measure {

namespace {

constexpr std::size_t kPage = 4096;

// Forks with the namespaces of `flags`, lets the child do `work` on the report, and reaps it.
template <typename Work>
Report reported(std::uint64_t flags, const Work& work) {
  const SharedReport report;
  const pid_t child = fork_into(flags);
  micro_must(child >= 0, "clone3");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    work(*report);
    ::_exit(0);
  }
  reap(child);
  if (report->error != 0) {
    errno = report->error;
    micro_must(false, "in the child");
  }
  return *report;
}

bool write_file(const std::string& path, const char* text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text, std::strlen(text)) >= 0;
}

// "0 ME 1" for uid and gid: what a user namespace needs to be used (user_namespaces(7)).
void map_users(pid_t child) {
  const std::string proc = "/proc/" + std::to_string(child) + "/";
  const std::string uid = "0 " + std::to_string(::geteuid()) + " 1";
  const std::string gid = "0 " + std::to_string(::getegid()) + " 1";
  micro_must(write_file(proc + "uid_map", uid.c_str()), "uid_map");
  if (!write_file(proc + "gid_map", gid.c_str()))
    micro_must(write_file(proc + "setgroups", "deny") && write_file(proc + "gid_map", gid.c_str()),
               "gid_map");
}

int empty_file_system() {
  const int context = ::fsopen("tmpfs", FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  const int mounted = ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0
                          ? ::fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID)
                          : -1;
  ::close(context);
  return mounted;
}

bool change_root(int root) {
  return ::move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
         ::fchdir(root) == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
         ::umount2(".", MNT_DETACH) == 0;
}

enum Step : std::size_t { make_private, make_file_system, make_root };

// One child goes through all steps of leaving the host's file system; each has its time.
Report leave_file_system() {
  const SharedReport report;
  const Word mapped;
  const pid_t child = fork_into(CLONE_NEWUSER | CLONE_NEWNS);
  micro_must(child >= 0, "clone3 into a mount namespace");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    mapped.await();
    int root = -1;
    bool good = true;
    const auto step = [&](Step which, const auto& work) {
      if (good) report->seconds.at(which) = seconds_of([&] { good = work(); });
    };
    step(make_private,
         [] { return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0; });
    step(make_file_system, [&] { return (root = empty_file_system()) >= 0; });
    step(make_root, [&] { return change_root(root); });
    report->error = good ? 0 : errno;
    ::_exit(0);
  }
  try {
    map_users(child);
  } catch (...) {
    ::kill(child, SIGKILL);
    reap(child);
    throw;
  }
  mapped.say();
  reap(child);
  if (report->error != 0) {
    errno = report->error;
    micro_must(false, "leaving the host's file system");
  }
  return *report;
}

void file_system_step(Sampler& sample, Step step) {
  for (int i = 0; i < 3; ++i) sample.add(1, 0, 0, leave_file_system().seconds.at(step));
}

}  // namespace

std::string mounts_unavailable() {
  if (std::string why = namespaces_unavailable(); !why.empty()) return why;
  static const std::string why = [] {
    try {
      leave_file_system();
      return std::string();
    } catch (const Error& e) {
      return "a mount namespace of its own cannot be used here: " + std::string(e.what());
    }
  }();
  return why;
}

void private_mounts(Sampler& sample) { file_system_step(sample, make_private); }
void file_system_create(Sampler& sample) { file_system_step(sample, make_file_system); }
void root_change(Sampler& sample) { file_system_step(sample, make_root); }

void user_map(Sampler& sample) {
  for (int i = 0; i < 4; ++i) {
    const Word over;
    const pid_t child = fork_into(CLONE_NEWUSER);
    micro_must(child >= 0, "clone3 into a user namespace");
    if (child == 0) speak_and_wait(over);
    over.await();
    double t = 0;
    try {
      t = seconds_of([&] { map_users(child); });
    } catch (...) {
      ::kill(child, SIGKILL);
      reap(child);
      throw;
    }
    ::kill(child, SIGKILL);
    reap(child);
    sample.add(1, 0, 0, t);
  }
}

// The filter of an ordinary small allow list, loaded once a child: seccomp(2).
void filter_load(Sampler& sample) {
  static sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_reboot, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_swapon, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_swapoff, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_acct, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  static const sock_fprog program{std::size(rules), rules};
  for (int i = 0; i < 4; ++i) {
    const Report r = reported(0, [](Report& report) {
      bool good = false;
      report.seconds[0] = seconds_of([&] {
        good = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
      });
      report.error = good ? 0 : errno;
    });
    sample.add(1, 0, 0, r.seconds[0]);
  }
}

// Pages that parent and child have in common until one of them writes.
void copy_on_write(Sampler& sample) {
  for (const std::size_t pages : {4U, 32U, 128U}) {
    Mapping inherited = Mapping::anonymous(pages * kPage, "micro-measurement");
    std::byte* at = inherited.writable().data();
    std::memset(at, 1, pages * kPage);
    for (int i = 0; i < 3; ++i) {
      const Report r = reported(0, [&](Report& report) {
        report.seconds[0] = seconds_of([&] {
          for (std::size_t p = 0; p < pages; ++p)
            *reinterpret_cast<volatile char*>(at + p * kPage) = 2;
        });
      });
      sample.add(0, 0, pages, r.seconds[0]);
    }
  }
}

// First reads of a mapped file that is in the page cache, far enough apart that none brings the
// next one in (the kernel maps 64 KiB around a fault).
void file_read_touch(Sampler& sample) {
  constexpr std::size_t kApart = 32 * kPage;
  const UniqueFd file(::memfd_create("micro", MFD_CLOEXEC));
  constexpr std::size_t kMost = 32;
  micro_must(file.get() >= 0 && ::ftruncate(file.get(), kMost * kApart) == 0, "memfd");
  const std::string filled(kApart, 'x');
  for (std::size_t i = 0; i < kMost; ++i)
    micro_must(::pwrite(file.get(), filled.data(), kApart, static_cast<off_t>(i * kApart)) ==
                   static_cast<ssize_t>(kApart),
               "pwrite");
  for (const std::size_t touched : {4U, 12U, 32U}) {
    double t = 0;
    constexpr int kTimes = 10;
    for (int i = 0; i < kTimes; ++i) {
      void* p = ::mmap(nullptr, kMost * kApart, PROT_READ, MAP_PRIVATE, file.get(), 0);
      micro_must(p != MAP_FAILED, "mmap");
      const auto* bytes = static_cast<const volatile char*>(p);
      t += seconds_of([&] {
        for (std::size_t at = 0; at < touched; ++at) keep(bytes[at * kApart]);
      });
      ::munmap(p, kMost * kApart);
    }
    sample.add(0, 0, kTimes * touched, t);
  }
}

void affinity_set(Sampler& sample) {
  constexpr int kTimes = 200;
  cpu_set_t mine;
  CPU_ZERO(&mine);
  micro_must(::sched_getaffinity(0, sizeof mine, &mine) == 0, "sched_getaffinity");
  const double t = seconds_of([&] {
    for (int i = 0; i < kTimes; ++i) ::sched_setaffinity(0, sizeof mine, &mine);
  });
  sample.add(kTimes, 0, 0, t);
}

// To the second CPU and back.
void affinity_move(Sampler& sample) {
  constexpr int kTimes = 20;
  double t = 0;
  std::thread([&] {
    pin_to(first_cpu());
    for (int i = 0; i < kTimes; ++i) {
      t += seconds_of([] { pin_to(second_cpu()); });
      pin_to(first_cpu());
    }
  }).join();
  sample.add(kTimes, 0, 0, t);
}

void pidfd_create(Sampler& sample) {
  constexpr int kTimes = 200;
  const pid_t self = ::getpid();
  const double t = seconds_of([&] {
    for (int i = 0; i < kTimes; ++i) {
      const int fd = static_cast<int>(::syscall(SYS_pidfd_open, self, 0));
      micro_must(fd >= 0, "pidfd_open");
      ::close(fd);
    }
  });
  sample.add(kTimes, 0, 0, t);
}

}  // namespace missive::measure
