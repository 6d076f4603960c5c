#include "real/measure/micro_isolation.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include <sched.h>

#include "models/error.h"
#include "models/isolation/contention.h"
#include "models/random.h"
#include "real/measure/micro_isolation_list.h"
#include "real/process.h"

namespace missive::measure {

namespace {

int nth_cpu(int n) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  // The process's own mask: this thread may be pinned already.
  static const cpu_set_t kAtStart = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  allowed = kAtStart;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed) && n-- == 0) return cpu;
  return -1;
}

struct Condition {
  const char* micro;
  std::string (*unavailable)();
};

constexpr Condition kConditions[] = {
    {"fs_base_write", fs_base_write_unavailable},
    {"line_transfer", second_cpu_unavailable},
    {"remote_read", second_cpu_unavailable},
    {"namespaces_start", namespaces_unavailable},
    {"namespaces_end", namespaces_unavailable},
    {"user_map", namespaces_unavailable},
    {"private_mounts", mounts_unavailable},
    {"file_system_create", mounts_unavailable},
    {"root_change", mounts_unavailable},
    {"kvm_create", kvm_unavailable},
    {"kvm_first_run", kvm_unavailable},
    {"affinity_move", second_cpu_unavailable},
    {"kvm_exit", kvm_unavailable},
    {"kvm_end", kvm_unavailable},
    {"segment_table_write", segment_table_unavailable},
};

}  // namespace

int first_cpu() { return nth_cpu(0); }
int second_cpu() { return nth_cpu(1); }

void pin_to(int cpu) {
  if (cpu < 0) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(cpu), &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

std::string second_cpu_unavailable() {
  return second_cpu() >= 0 ? "" : "needs a second CPU; this process may use only one";
}

namespace {

std::vector<IsolationMicro> alone() {
  constexpr bool call = true, byte = true, item = true;
  return {
      {"indirect_call", "calls through pointers the compiler cannot see through, eight deep", call,
       !byte, !item, indirect_call},
      {"register_switch", "exchanges of six registers and the stack pointer between two stacks",
       call, !byte, !item, register_switch},
      {"stack_switch", "exchanges of three words and the stack pointer between two stacks, in line",
       call, !byte, !item, stack_switch},
      {"fs_base_write", "wrfsbase of the value that is there", call, !byte, !item, fs_base_write},
      {"processor_question", "cpuid, which a hypervisor answers", call, !byte, !item,
       processor_question},
      {"far_jump", "far jumps between 64-bit and 32-bit code", call, !byte, !item, far_jump},
      {"segment_load", "loads of a segment register", call, !byte, !item, segment_load},
      {"segment_table_write", "modify_ldt(2) of an entry, filled and emptied", call, !byte, !item,
       segment_table_write},
      {"system_call", "getppid(2)", call, !byte, !item, system_call},
      {"futex_pair", "a FUTEX_WAKE without waiter and a FUTEX_WAIT that finds another value", call,
       !byte, !item, futex_pair},
      {"eventfd_signal", "a write and a read of an eventfd by one thread", call, !byte, !item,
       eventfd_signal},
      {"pipe_message", "a write and a read of 16 B to 60 KiB on a pipe by one thread", call, byte,
       !item, pipe_message},
      {"unix_message", "a sendmsg and a read of 16 B to 60 KiB on a socket pair by one thread",
       call, byte, !item, unix_message},
      {"signal_delivery", "raise(3) of a signal whose handler does nothing", call, !byte, !item,
       signal_delivery},
      {"poll_wait",
       "calls: poll(2) with a deadline before a wait for another process of one CPU; items: such "
       "rounds",
       call, !byte, item, poll_wait},
      {"wake_thread",
       "calls: hand-overs between two threads of one CPU, each woken by a POSIX message queue; "
       "items: its messages",
       call, !byte, item, wake_thread},
      {"wake_process", "the same between two processes of one CPU", call, !byte, item,
       wake_process},
      {"wake_many_threads", "as wake_thread, with eight other threads in turn", call, !byte, item,
       wake_many_threads},
      {"wake_many_processes", "as wake_process, with eight other processes in turn", call, !byte,
       item, wake_many_processes},
      {"line_transfer",
       "hand-overs of a cache line between two threads that spin with pause, one way", call, !byte,
       !item, line_transfer},
      {"allocate", "malloc and free of 256 bytes", call, !byte, !item, allocate},
      {"anonymous_touch",
       "calls: mmap of anonymous memory; items: pages written for the first time", call, !byte,
       item, anonymous_touch},
      {"unmap", "calls: munmap of anonymous memory; items: pages that were written", call, !byte,
       item, unmap},
      {"file_write_touch",
       "calls: mmap of a private file mapping; items: pages written, each copied", call, !byte,
       item, file_write_touch},
      {"region_start", "mmap of 64 MiB and the first write to a page of it", call, !byte, !item,
       region_start},
      {"region_end", "munmap of 64 MiB with one page written", call, !byte, !item, region_end},
      {"far_touch", "the first write to a page of 4 GiB that nothing else of was touched", call,
       !byte, !item, far_touch},
      {"discard", "calls: madvise(MADV_DONTNEED) of 64 pages; items: those that were written", call,
       !byte, item, discard},
      {"remote_read", "sums over 48 to 384 KiB that another CPU has just written", !call, byte,
       !item, remote_read},
      {"reserve_space", "mmap of 8 GiB nobody may touch", call, !byte, !item, reserve_space},
      {"protect_page", "mprotect(2) of a page that is there", call, !byte, !item, protect_page},
      {"fill_l1", "memset of 256 B to 24 KiB, again and again", call, byte, !item, fill_l1},
      {"fill_l2", "memset of 96 to 768 KiB, again and again", call, byte, !item, fill_l2},
      {"fill_memory", "memset of 12 to 48 MiB, again and again", !call, byte, !item, fill_memory},
      {"copy_l1", "memcpy of 256 B to 12 KiB, again and again", call, byte, !item, copy_l1},
      {"copy_l2", "memcpy of 28 to 384 KiB, again and again", call, byte, !item, copy_l2},
      {"copy_memory", "memcpy of 6 to 24 MiB, again and again", !call, byte, !item, copy_memory},
      {"read_l1", "sums over 256 B to 24 KiB, again and again", call, byte, !item, read_l1},
      {"read_l2", "sums over 96 to 768 KiB, again and again", call, byte, !item, read_l2},
      {"read_memory", "sums over 12 to 48 MiB, again and again", !call, byte, !item, read_memory},
      {"serialise_cached",
       "2 to 700 records (items) built and serialised by protobuf, again and again", call, byte,
       item, serialise_cached},
      {"serialise_memory", "the same with 40,000 and 120,000", !call, byte, item, serialise_memory},
      {"parse_cached", "2 to 700 records parsed by protobuf into fresh objects and added up", call,
       byte, item, parse_cached},
      {"parse_memory", "the same with 40,000 and 120,000", !call, byte, item, parse_memory},
      {"memory_file_fill",
       "calls: a memfd made, mapped, unmapped and closed; items: its pages written once", call,
       !byte, item, memory_file_fill},
      {"memory_file_read",
       "calls: a memfd mapped for reading and unmapped; items: its pages read once", call, !byte,
       item, memory_file_read},
      {"memory_file_write", "calls: a memfd made; items: its pages, written by pwrite(2)", call,
       !byte, item, memory_file_write},
      {"memory_file_drop", "calls: a memfd closed; items: its pages", call, !byte, item,
       memory_file_drop},
      {"seal", "F_ADD_SEALS, F_GET_SEALS and fstat of a memfd", call, !byte, !item, seal},
      {"descriptor_pass",
       "a descriptor sent and received through a socket by one thread, and closed", call, !byte,
       !item, descriptor_pass},
      {"thread_start", "pthread_create with a stack of 64 KiB until the thread has said a word",
       call, !byte, !item, thread_start},
      {"thread_end", "a sleeping thread told to end, until it is joined", call, !byte, !item,
       thread_end},
      {"fork_start",
       "calls: fork until the child has said a word; items: pages the parent has written and the "
       "child inherits",
       call, !byte, item, fork_start},
      {"process_end", "SIGKILL to a process that waits, until it is reaped", call, !byte, !item,
       process_end},
      {"namespaces_start",
       "clone into new user, mount, pid, ipc, uts and net namespaces until the child has said a "
       "word",
       call, !byte, !item, namespaces_start},
      {"namespaces_end", "SIGKILL to a small program in namespaces of its own, until it is reaped",
       call, !byte, !item, namespaces_end},
      {"user_map", "uid_map and gid_map of a new user namespace written", call, !byte, !item,
       user_map},
      {"private_mounts", "the mounts of a new namespace made private, all at once", call, !byte,
       !item, private_mounts},
      {"file_system_create", "fsopen, one fsconfig and fsmount of a tmpfs", call, !byte, !item,
       file_system_create},
      {"root_change", "move_mount over the root, pivot_root and a lazy umount of the old one", call,
       !byte, !item, root_change},
      {"filter_load", "a system-call filter of seven instructions loaded", call, !byte, !item,
       filter_load},
      {"exec_replace",
       "from execve in a forked child until the static program in its place has said a word", call,
       !byte, !item, exec_replace},
      {"copy_on_write", "inherited pages that a forked child writes", !call, !byte, item,
       copy_on_write},
      {"file_read_touch", "first reads of a mapped file, more than 64 KiB apart", !call, !byte,
       item, file_read_touch},
      {"affinity_set", "sched_setaffinity(2) to what it is", call, !byte, !item, affinity_set},
      {"affinity_move", "a thread that sends itself to another CPU, until it runs there", call,
       !byte, !item, affinity_move},
      {"pidfd_create", "pidfd_open and close", call, !byte, !item, pidfd_create},
      {"pipe_create", "pipe2 and two close", call, !byte, !item, pipe_create},
      {"unix_create", "socketpair and two close", call, !byte, !item, unix_create},
      {"kvm_create", "a virtual machine of 4 MiB with one CPU", call, !byte, !item, kvm_create},
      {"kvm_first_run", "the first KVM_RUN of a new machine: an out instruction, in four pages",
       call, !byte, !item, kvm_first_run},
      {"kvm_end", "the end of a virtual machine", call, !byte, !item, kvm_end},
      {"kvm_exit", "KVM_RUN of a guest in user mode that does nothing but an out instruction", call,
       !byte, !item, kvm_exit},
  };
}

std::string without_suffix(const std::string& name) {
  return name.ends_with(kContendedSuffix) ? name.substr(0, name.size() - kContendedSuffix.size())
                                          : name;
}

std::vector<IsolationMicro> alone_and_contended() {
  std::vector<IsolationMicro> all = alone();
  for (const std::string_view name : kContended) {
    const auto base = std::find_if(all.begin(), all.end(),
                                   [&](const IsolationMicro& m) { return m.name == name; });
    if (base == all.end()) throw std::logic_error("no primitive " + std::string(name));
    IsolationMicro crowded = *base;
    crowded.name += kContendedSuffix;
    crowded.what += "; every other CPU does the same meanwhile";
    crowded.contended = true;
    all.push_back(std::move(crowded));
  }
  return all;
}

// Threads that do the same on every other CPU, from before `micro` is timed until after.
class Rivals {
 public:
  explicit Rivals(const IsolationMicro& micro) {
    for (int n = 1; nth_cpu(n) >= 0; ++n)
      threads_.emplace_back([this, &micro, cpu = nth_cpu(n)] {
        pin_to(cpu);
        std::vector<MicroSample> dropped;
        Sampler sampler(micro.name, dropped);
        do {
          dropped.clear();
          try {
            micro.run(sampler);
          } catch (const std::exception&) {
            failed_ = true;
          }
          ++rounds_;
        } while (!over_ && !failed_);
      });
    while (rounds_ < 1 && !failed_) std::this_thread::yield();
  }
  Rivals(const Rivals&) = delete;
  Rivals& operator=(const Rivals&) = delete;
  ~Rivals() {
    over_ = true;
    for (std::thread& t : threads_) t.join();
  }
  bool failed() const { return failed_; }

 private:
  std::atomic<bool> over_{false}, failed_{false};
  std::atomic<int> rounds_{0};
  std::vector<std::thread> threads_;
};

void run_micro(const IsolationMicro& micro, Sampler& sampler) {
  if (!micro.contended) return micro.run(sampler);
  const Rivals rivals(micro);
  micro.run(sampler);
  if (rivals.failed())
    throw RunError("micro-measurement " + micro.name + ": another CPU's part of it failed");
}

}  // namespace

const std::vector<IsolationMicro>& isolation_micros() {
  static const std::vector<IsolationMicro> table = alone_and_contended();
  return table;
}

std::string isolation_micro_unavailable(const std::string& micro) {
  const std::string base = without_suffix(micro);
  if (base != micro)
    if (std::string why = second_cpu_unavailable(); !why.empty()) return why;
  for (const Condition& c : kConditions)
    if (base == c.micro) return c.unavailable();
  return {};
}

std::vector<MicroSample> run_isolation_micros(int repetitions, std::uint64_t seed) {
  first_cpu();  // notes which CPUs there are
  pin_to(first_cpu());
  std::vector<MicroSample> dropped, samples;
  std::vector<const IsolationMicro*> order;
  for (const IsolationMicro& micro : isolation_micros()) {
    if (!isolation_micro_unavailable(micro.name).empty()) continue;
    Sampler warm_up(micro.name, dropped);
    run_micro(micro, warm_up);
    for (int r = 0; r < repetitions; ++r) order.push_back(&micro);
  }
  Random random(seed, 0);
  random.shuffle(order);
  for (const IsolationMicro* micro : order) {
    check_interrupt();
    Sampler sampler(micro->name, samples);
    run_micro(*micro, sampler);
  }
  return samples;
}

}  // namespace missive::measure
