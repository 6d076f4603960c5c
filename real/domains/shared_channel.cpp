#include "real/domains/shared_channel.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real/domains/message.h"
#include "real/process.h"

extern "C" {
extern const char missive_shared_service[];
extern const char missive_shared_service_end[];
}

namespace missive::domains {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMaxMemory = std::size_t{1} << 40;

std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

bool ended(const OwnedProcess& process) {
  pollfd p{process.pidfd(), POLLIN, 0};
  return ::poll(&p, 1, 0) > 0;
}

}  // namespace

SharedChannel::SharedChannel(std::string who, const DomainOptions& options, bool confine)
    : who_(std::move(who)),
      deadline_(options.deadline),
      max_message_(options.max_message),
      shared_bytes_(options.shared_bytes) {
  if (options.max_message > kMaxMemory || options.shared_bytes > kMaxMemory) {
    throw InputError(who_ + ": messages and shared memory are at most 1 TiB");
  }
  request_at_ = MISSIVE_CONTROL_BYTES;
  reply_at_ = request_at_ + whole_pages(max_message_);
  shared_at_ = reply_at_ + whole_pages(max_message_);
  const std::size_t total = shared_at_ + whole_pages(options.shared_bytes);
  memory_.reset(::memfd_create("domain", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory_) throw_errno(who_ + ": memory for messages");
  if (::ftruncate(memory_.get(), static_cast<off_t>(total)) != 0 ||
      ::fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw_errno(who_ + ": memory for messages");
  }
  void* const at = ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
  if (at == MAP_FAILED) throw_errno(who_ + ": mapping the memory for messages");
  bytes_ = {static_cast<std::byte*>(at), total};
  control().total = total;
  control().confine = confine ? 1 : 0;
}

SharedChannel::~SharedChannel() { ::munmap(bytes_.data(), bytes_.size()); }

void SharedChannel::set_turn(missive_turn turn) {
  std::atomic_ref(control().turn).store(turn, std::memory_order_release);
  ::syscall(SYS_futex, &control().turn, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void SharedChannel::await_go() {
  const std::atomic_ref<std::uint32_t> turn(control().turn);
  while (turn.load(std::memory_order_acquire) == MISSIVE_TURN_STARTING)
    ::syscall(SYS_futex, &control().turn, FUTEX_WAIT, MISSIVE_TURN_STARTING, nullptr, nullptr, 0);
}

SharedChannel::Wait SharedChannel::await_host_turn(const OwnedProcess& process,
                                                   milliseconds limit) {
  // A futex does not tell of the other side's end: waits are cut into slices for a look.
  constexpr milliseconds kSlice{10};
  const std::atomic_ref<std::uint32_t> turn(control().turn);
  const auto begin = steady_clock::now();
  for (;;) {
    const std::uint32_t seen = turn.load(std::memory_order_acquire);
    if (seen == MISSIVE_TURN_HOST) return Wait::done;
    milliseconds slice = kSlice;
    if (limit.count() > 0) {
      const auto left =
          limit - std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
      if (left.count() <= 0) return Wait::late;
      slice = std::min(slice, left);
    }
    const timespec timeout{0, slice.count() * 1'000'000};
    if (::syscall(SYS_futex, &control().turn, FUTEX_WAIT, seen, &timeout, nullptr, 0) == 0 ||
        errno == EAGAIN) {
      continue;
    }
    check_interrupt();
    if (ended(process) && turn.load(std::memory_order_acquire) != MISSIVE_TURN_HOST) {
      return Wait::ended;
    }
  }
}

void SharedChannel::await_start(const OwnedProcess& process) {
  switch (await_host_turn(process, milliseconds(10'000))) {
    case Wait::done:
      memory_.reset();  // both have it mapped; descriptors bound how many domains there can be
      return;
    case Wait::late:
      throw RunError(who_ + ": its service does not answer within 10 s");
    case Wait::ended:
      throw RunError(who_ + ": its service ended before its first call (" + process.end() + ")");
  }
}

std::size_t SharedChannel::call(const OwnedProcess& process, Entry entry,
                                std::span<const std::byte> request, std::span<std::byte> reply) {
  missive_control& c = control();
  const bool in_place = lies_in(request, shared());
  check_message(who_.c_str(), in_place ? 0 : request.size(), reply.size(), max_message_);
  if (!in_place && !request.empty()) {
    std::memcpy(bytes_.data() + request_at_, request.data(), request.size());
  }
  c.entry = static_cast<std::int32_t>(entry);
  c.request_at = in_place ? static_cast<std::size_t>(request.data() - bytes_.data()) : request_at_;
  c.size = request.size();
  c.reply_at = reply_at_;
  c.capacity = reply.size();
  set_turn(MISSIVE_TURN_SERVICE);
  switch (await_host_turn(process, deadline_)) {
    case Wait::late:
      throw DomainFault(who_ + ": no answer within " + std::to_string(deadline_.count()) +
                        " ms; killed");
    case Wait::ended:
      throw DomainFault(who_ + ": its process ended during the call (" + process.end() + ")");
    case Wait::done:
      break;
  }
  const std::int64_t answer = std::atomic_ref(c.answer).load(std::memory_order_relaxed);
  const std::size_t length = checked_answer(who_.c_str(), answer, reply.size());
  if (length > 0) std::memcpy(reply.data(), bytes_.data() + reply_at_, length);
  return length;
}

std::span<const std::byte> shared_service_program() {
  return std::as_bytes(std::span(missive_shared_service, missive_shared_service_end));
}

}  // namespace missive::domains
