// Primitives of creation: threads, processes, namespaces, descriptors, virtual machines.

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"
#include "real/measure/micro_process.h"

namespace missive::measure {

namespace {

constexpr std::size_t kPage = 4096;

constexpr std::uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
                                      CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;

kvm_segment user_segment(std::uint16_t selector, std::uint8_t type, bool code) {
  kvm_segment s{};
  s.limit = 0xffffffff;
  s.selector = selector;
  s.type = type;
  s.present = s.s = s.g = 1;
  s.dpl = 3;
  s.l = code;
  s.db = !code;
  return s;
}

// A guest that does nothing but leave, in 64-bit user mode: the mode whose exits cost what those of
// a service do (KVM API, Documentation/virt/kvm/api.rst; tables as in the SDM, 3A, 4.5).
class TinyMachine {
 public:
  TinyMachine()
      : memory_(Mapping::anonymous(kMemory, "micro-measurement: guest")),
        kvm_(::open("/dev/kvm", O_RDWR | O_CLOEXEC)) {
    micro_must(kvm_.get() >= 0, "/dev/kvm");
    vm_.reset(::ioctl(kvm_.get(), KVM_CREATE_VM, 0));
    micro_must(vm_.get() >= 0, "KVM_CREATE_VM");
    fill_memory();
    kvm_userspace_memory_region region{};
    region.memory_size = kMemory;
    region.userspace_addr = reinterpret_cast<std::uint64_t>(memory_.writable().data());
    micro_must(::ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) == 0, "memory region");
    cpu_.reset(::ioctl(vm_.get(), KVM_CREATE_VCPU, 0));
    micro_must(cpu_.get() >= 0, "KVM_CREATE_VCPU");
    set_registers();
    const int size = ::ioctl(kvm_.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    micro_must(size > 0, "KVM_GET_VCPU_MMAP_SIZE");
    run_bytes_ = static_cast<std::size_t>(size);
    run_ = ::mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, cpu_.get(), 0);
    micro_must(run_ != MAP_FAILED, "mmap of the vCPU");
  }
  TinyMachine(const TinyMachine&) = delete;
  TinyMachine& operator=(const TinyMachine&) = delete;
  ~TinyMachine() { ::munmap(run_, run_bytes_); }

  void run() const { micro_must(::ioctl(cpu_.get(), KVM_RUN, 0) == 0, "KVM_RUN"); }
  unsigned exit_reason() const { return static_cast<const kvm_run*>(run_)->exit_reason; }

 private:
  static constexpr std::size_t kMemory = 4U << 20U;
  static constexpr std::size_t kCode = 2U << 20U;

  // Three tables for the first 4 MiB, and the program behind them: out %al,$0x10; jump back.
  void fill_memory() {
    std::byte* at = memory_.writable().data();
    ::madvise(at, kMemory, MADV_NOHUGEPAGE);
    const std::uint64_t entries[][2] = {
        {0, 0x1007}, {0x1000, 0x2007}, {0x2000, 0x83}, {0x2008, kCode | 0x87}};
    for (const auto& [where, entry] : entries) std::memcpy(at + where, &entry, sizeof entry);
    const unsigned char loop[] = {0xe6, 0x10, 0xeb, 0xfc};
    std::memcpy(at + kCode, loop, sizeof loop);
  }

  void set_registers() const {
    kvm_sregs s{};
    micro_must(::ioctl(cpu_.get(), KVM_GET_SREGS, &s) == 0, "KVM_GET_SREGS");
    s.cr3 = 0;
    s.cr0 = 0x80050033;  // PG AM WP NE ET MP PE
    s.cr4 = 0x620;       // PAE OSFXSR OSXMMEXCPT
    s.efer = 0x500;      // LME LMA
    s.cs = user_segment(0x1b, 11, true);
    s.ds = s.es = s.fs = s.gs = s.ss = user_segment(0x23, 3, false);
    s.tr.base = 0x3000;  // zeros: no port is forbidden
    micro_must(::ioctl(cpu_.get(), KVM_SET_SREGS, &s) == 0, "KVM_SET_SREGS");
    kvm_regs r{};
    r.rip = kCode;
    r.rflags = 0x3002;  // IOPL 3
    micro_must(::ioctl(cpu_.get(), KVM_SET_REGS, &r) == 0, "KVM_SET_REGS");
  }

  Mapping memory_;
  UniqueFd kvm_, vm_, cpu_;
  void* run_ = nullptr;
  std::size_t run_bytes_ = 0;
};

void* say_word(void* word) {
  static_cast<const Word*>(word)->say();
  return nullptr;
}

void* hear_word(void* word) {
  static_cast<const Word*>(word)->await();
  return nullptr;
}

// `work` adds the seconds it wants counted. A sample each: what takes so long is interrupted now
// and then, and a median over many forgets it.
template <typename Work>
void repeat(Sampler& sample, std::uint64_t times, const Work& work) {
  for (std::uint64_t i = 0; i < times; ++i) {
    double t = 0;
    work(t);
    sample.add(1, 0, 0, t);
  }
}

// Everything counted, in one stretch.
template <typename Work>
void repeat_all(Sampler& sample, std::uint64_t times, const Work& work) {
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < times; ++i) work();
  });
  sample.add(times, 0, 0, t);
}

}  // namespace

void thread_start(Sampler& sample) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, 64 * 1024);
  const Word word;
  repeat(sample, 30, [&](double& t) {
    pthread_t thread{};
    t += seconds_of([&] {
      errno = ::pthread_create(&thread, &attributes, say_word, const_cast<Word*>(&word));
      micro_must(errno == 0, "pthread_create");
      word.await();
    });
    ::pthread_join(thread, nullptr);
  });
  ::pthread_attr_destroy(&attributes);
}

void thread_end(Sampler& sample) {
  const Word word;
  repeat(sample, 30, [&](double& t) {
    pthread_t thread{};
    errno = ::pthread_create(&thread, nullptr, hear_word, const_cast<Word*>(&word));
    micro_must(errno == 0, "pthread_create");
    ::sched_yield();  // lets it fall asleep
    t += seconds_of([&] {
      word.say();
      ::pthread_join(thread, nullptr);
    });
  });
}

void fork_start(Sampler& sample) {
  constexpr std::uint64_t kTimes = 8;
  const Word word;
  for (const std::size_t pages : {1U, 512U, 2048U}) {
    Mapping inherited = Mapping::anonymous(pages * kPage, "micro-measurement");
    std::memset(inherited.writable().data(), 1, pages * kPage);
    for (std::uint64_t i = 0; i < kTimes; ++i) {
      pid_t child = -1;
      const double t = seconds_of([&] {
        child = ::fork();
        if (child == 0) speak_and_wait(word);
        micro_must(child > 0, "fork");
        word.await();
      });
      end(child);
      sample.add(1, 0, pages, t);
    }
  }
}

void process_end(Sampler& sample) {
  const Word word;
  repeat(sample, 8, [&](double& t) {
    const pid_t child = ::fork();
    if (child == 0) speak_and_wait(word);
    micro_must(child > 0, "fork");
    word.await();
    t += seconds_of([&] { end(child); });
  });
}

std::string namespaces_unavailable() {
  const pid_t child = fork_into(kNamespaces);
  if (child == 0) ::_exit(0);
  if (child < 0)
    return std::string("new namespaces are refused here: ") + std::strerror(errno) +
           " (clone(2); user.max_*_namespaces, seccomp)";
  reap(child);
  return {};
}

void namespaces_start(Sampler& sample) {
  const Word word;
  repeat(sample, 4, [&](double& t) {
    pid_t child = -1;
    t += seconds_of([&] {
      child = fork_into(kNamespaces);
      if (child == 0) speak_and_wait(word);
      micro_must(child > 0, "clone3");
      word.await();
    });
    end(child);
  });
}

// A small program: what a fork inherits, and gives back at its end, is not what is asked here.
void namespaces_end(Sampler& sample) {
  const TinyProgram program;
  repeat(sample, 4, [&](double& t) {
    const pid_t child = fork_into(kNamespaces);
    if (child == 0) program.become();
    micro_must(child > 0, "clone3");
    const bool heard = program.heard();
    t += seconds_of([&] { end(child); });
    micro_must(heard, "the program's word");
  });
}

void pipe_create(Sampler& sample) {
  repeat_all(sample, 500, [] {
    int ends[2];
    micro_must(::pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

void unix_create(Sampler& sample) {
  repeat_all(sample, 500, [] {
    int ends[2];
    micro_must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

std::string kvm_unavailable() {
  const UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (kvm.get() < 0)
    return std::string("/dev/kvm: ") + std::strerror(errno) + "; needs hardware virtualisation";
  return {};
}

void kvm_create(Sampler& sample) {
  repeat(sample, 2, [](double& t) {
    std::optional<TinyMachine> machine;
    t += seconds_of([&] { machine.emplace(); });
  });
}

void kvm_first_run(Sampler& sample) {
  repeat(sample, 2, [](double& t) {
    const TinyMachine machine;
    t += seconds_of([&] { machine.run(); });
  });
}

void kvm_end(Sampler& sample) {
  repeat(sample, 2, [](double& t) {
    std::optional<TinyMachine> machine(std::in_place);
    machine->run();
    t += seconds_of([&] { machine.reset(); });
  });
}

void kvm_exit(Sampler& sample) {
  const TinyMachine machine;
  for (int i = 0; i < 10; ++i) {
    machine.run();
    if (machine.exit_reason() != KVM_EXIT_IO) {
      errno = EPROTO;
      micro_must(false, "the tiny guest did not exit as it should");
    }
  }
  repeat_all(sample, 50, [&] { machine.run(); });
}

}  // namespace missive::measure
