// The service in a thread of its own. Two words of memory, one counted up for each request and one
// for each reply, with futex(2) on both. A switch goes through the kernel's scheduler: all
// registers, vector state included, and the kernel stack; the address space stays. The thread is no
// boundary, and one that never returns cannot be ended: deadlines are not enforced.

#include <atomic>
#include <cerrno>

#include <pthread.h>
#include <sched.h>

#include "real/domains/futex.h"
#include "real/domains/mechanism_list.h"
#include "real/domains/message.h"
#include "real/fd.h"

namespace missive::domains {

namespace {

constexpr std::size_t kStack = 64 * 1024;

class ThreadDomain final : public Domain {
 public:
  explicit ThreadDomain(const DomainOptions& options) : limit_(options.max_message) {
    if (options.shared_bytes > 0)
      shared_ = Mapping::anonymous(options.shared_bytes, "thread: shared memory");
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, kStack);
    if (options.peer_cpu >= 0) {
      cpu_set_t cpus;
      CPU_ZERO(&cpus);
      CPU_SET(static_cast<std::size_t>(options.peer_cpu), &cpus);
      ::pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
    }
    const int error = ::pthread_create(&thread_, &attributes, &ThreadDomain::run, this);
    ::pthread_attr_destroy(&attributes);
    if (error == EINVAL && options.peer_cpu >= 0)
      throw InputError("thread: cannot run on CPU " + std::to_string(options.peer_cpu) +
                       "; choose one this process may use");
    errno = error;
    if (error != 0)
      throw_errno(
          "thread: cannot start one (limits: kernel.threads-max, kernel.pid_max, RLIMIT_NPROC, the "
          "cgroup's pids.max, vm.max_map_count)");
  }
  ThreadDomain(const ThreadDomain&) = delete;
  ThreadDomain& operator=(const ThreadDomain&) = delete;
  ~ThreadDomain() override {
    stop_ = true;
    post();
    ::pthread_join(thread_, nullptr);
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    if (!lies_in(request, shared_.bytes()))
      check_message("thread", request.size(), reply.size(), limit_);
    entry_ = entry;
    request_ = request;
    reply_ = reply;
    const std::uint32_t number = post();
    for (std::uint32_t seen; (seen = replies_.load(std::memory_order_acquire)) != number;)
      futex_wait(replies_, seen, FutexScope::Private);
    return checked_answer("thread", answer_, reply.size());
  }

  std::span<std::byte> shared() override { return shared_.writable(); }

 private:
  std::uint32_t post() {
    const std::uint32_t number = requests_.fetch_add(1, std::memory_order_release) + 1;
    futex_wake(requests_, FutexScope::Private);
    return number;
  }

  static void* run(void* argument) {
    auto* self = static_cast<ThreadDomain*>(argument);
    for (std::uint32_t done = 0;; ++done) {
      while (self->requests_.load(std::memory_order_acquire) == done)
        futex_wait(self->requests_, done, FutexScope::Private);
      if (self->stop_) return nullptr;
      self->answer_ =
          native_service(static_cast<std::int32_t>(self->entry_), as_bytes(self->request_),
                         self->request_.size(), as_bytes(self->reply_), self->reply_.size());
      self->replies_.store(done + 1, std::memory_order_release);
      futex_wake(self->replies_, FutexScope::Private);
    }
  }

  std::size_t limit_;
  pthread_t thread_{};
  bool stop_ = false;
  Entry entry_ = Entry::null;
  std::span<const std::byte> request_;
  std::span<std::byte> reply_;
  std::int64_t answer_ = 0;
  Mapping shared_;
  // Each side writes one of them: not on one cache line.
  alignas(64) std::atomic<std::uint32_t> requests_{0};
  alignas(64) std::atomic<std::uint32_t> replies_{0};
};

}  // namespace

Mechanism thread_mechanism() {
  Mechanism m;
  m.name = "thread";
  m.what =
      "a service thread woken by futex, no protection; the kernel exchanges all registers with "
      "vector state and the kernel stack, the address space stays, messages by pointer";
  m.same_process = true;
  m.by_pointer = true;
  m.unavailable = [] { return std::string(); };
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    return std::make_unique<ThreadDomain>(options);
  };
  return m;
}

}  // namespace missive::domains
