// Messages through the kernel: two pipes (pipe(7)), or a pair of stream sockets (unix(7)). Each
// message is copied into the kernel and out again. Form: a header of three words, then the payload.
//
// The parent's ends do not block; it waits in poll(2), which is how the deadline holds in both
// directions and costs one more system call each way round than a blocking read would.

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "real/domains/mechanism_list.h"
#include "real/domains/process.h"
#include "real/domains/service_process.h"
#include "real/domains/shared_memory.h"
#include "real/domains/time_left.h"

namespace missive::domains {

namespace {

constexpr std::uint64_t kNotShared = ~0ULL;

struct RequestHeader {
  std::int64_t entry;
  std::uint64_t size, capacity;
  std::uint64_t shared_at;  // offset in shared(), no payload follows; or kNotShared
};
struct ReplyHeader {
  std::int64_t answer;  // its payload follows when positive
};

const char* name_of(StreamKind kind) {
  return kind == StreamKind::pipe ? "process-pipe" : "process-unix";
}

// What is left of two spans of which `done` bytes are dealt with.
void advance(std::span<const std::byte>& first, std::span<const std::byte>& second,
             std::size_t done) {
  const std::size_t of_first = std::min(done, first.size());
  first = first.subspan(of_first);
  second = second.subspan(done - of_first);
}

std::array<iovec, 2> parts_of(std::span<const std::byte> first, std::span<const std::byte> second) {
  return {iovec{const_cast<std::byte*>(first.data()), first.size()},
          iovec{const_cast<std::byte*>(second.data()), second.size()}};
}

// ---- the child: blocking, no allocation ----

bool read_exactly(int fd, void* to, std::size_t size) {
  auto* at = static_cast<std::byte*>(to);
  while (size > 0) {
    const ssize_t n = ::read(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool write_both(int fd, std::span<const std::byte> first, std::span<const std::byte> second) {
  while (!first.empty() || !second.empty()) {
    const auto parts = parts_of(first, second);
    const ssize_t n = ::writev(fd, parts.data(), 2);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    advance(first, second, static_cast<std::size_t>(n));
  }
  return true;
}

struct ServerSide {
  int in, out;
  ServiceFunction service;
  std::span<std::byte> request, reply, shared;
};

void serve(const ServerSide& side) {
  RequestHeader header{};
  while (read_exactly(side.in, &header, sizeof header)) {
    std::byte* request = side.request.data();
    if (header.shared_at != kNotShared)
      request = side.shared.data() + header.shared_at;
    else if (!read_exactly(side.in, request, header.size))
      return;
    const ReplyHeader answer{side.service(static_cast<std::int32_t>(header.entry),
                                          reinterpret_cast<const std::uint8_t*>(request),
                                          header.size, as_bytes(side.reply), header.capacity)};
    const std::size_t payload =
        answer.answer > 0 && static_cast<std::uint64_t>(answer.answer) <= header.capacity
            ? static_cast<std::size_t>(answer.answer)
            : 0;
    if (!write_both(side.out, std::as_bytes(std::span(&answer, 1)), side.reply.first(payload)))
      return;
  }
}

// ---- the parent ----

void make_pipe(UniqueFd& read_end, UniqueFd& write_end) {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0)
    throw_errno("process-pipe: cannot make a pipe (limits: RLIMIT_NOFILE, fs.file-max)");
  read_end.reset(fds[0]);
  write_end.reset(fds[1]);
}

void do_not_block(int fd) {
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
    throw_errno("process: cannot make a descriptor non-blocking");
}

class StreamDomain final : public Domain {
 public:
  StreamDomain(StreamKind kind, const DomainOptions& options, ServiceFunction service)
      : name_(name_of(kind)),
        limit_(options.max_message),
        deadline_(options.deadline),
        shared_(options.shared_bytes, name_) {
    UniqueFd child_in, child_out;
    if (kind == StreamKind::pipe) {
      make_pipe(child_in, out_);
      make_pipe(in_, child_out);
      do_not_block(in_.get());
    } else {
      std::array<int, 2> fds{};
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
        throw_errno("process-unix: cannot make sockets (limits: RLIMIT_NOFILE, fs.file-max)");
      out_.reset(fds[0]);
      child_in.reset(fds[1]);
    }
    do_not_block(out_.get());
    // The service's own buffers; made here, because the child must not allocate.
    SharedMemory buffers(2 * limit_, name_);
    const ServerSide side{child_in.get(),
                          child_out ? child_out.get() : child_in.get(),
                          service,
                          buffers.span().first(limit_),
                          buffers.span().subspan(limit_),
                          shared_.span()};
    process_.start(name_, {side.in, side.out, options.descriptor_socket}, options.peer_cpu,
                   [&side] { serve(side); });
    if (kind == StreamKind::pipe) reader_ = std::move(child_in);
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    const bool in_place = lies_in(request, shared_.span());
    check_message(name_, in_place ? 0 : request.size(), reply.size(), limit_);
    if (process_.pid() < 0) process_.fault(name_, false);
    const RequestHeader header{
        static_cast<std::int32_t>(entry), request.size(), reply.size(),
        in_place ? static_cast<std::uint64_t>(request.data() - shared_.span().data()) : kNotShared};
    TimeLeft deadline(deadline_);
    send(std::as_bytes(std::span(&header, 1)), in_place ? std::span<const std::byte>() : request,
         deadline);
    ReplyHeader answer{};
    receive(std::as_writable_bytes(std::span(&answer, 1)), true, deadline);
    const std::size_t size = checked(answer.answer, reply.size());
    receive(reply.first(size), false, deadline);
    return size;
  }

  std::span<std::byte> shared() override { return shared_.span(); }

 private:
  std::size_t checked(std::int64_t answer, std::size_t capacity) {
    try {
      return checked_answer(name_, answer, capacity);
    } catch (const DomainFault&) {
      process_.kill_now();
      throw;
    }
  }
  int in() const { return in_ ? in_.get() : out_.get(); }

  // Until there is something to read, or room to write; a peer that is gone ends both.
  void wait(bool to_write, TimeLeft& deadline) {
    std::array<pollfd, 2> ends = {
        pollfd{in(), static_cast<short>(to_write ? 0 : POLLIN), 0},
        pollfd{out_.get(), POLLOUT, 0},
    };
    const int n = ::poll(ends.data(), to_write ? 2 : 1, deadline.left_ms());
    if (n == 0) process_.fault(name_, true);
    if (n < 0 && errno != EINTR) throw_errno(std::string(name_) + ": poll");
    if (n > 0 && to_write && (ends[0].revents & (POLLHUP | POLLERR)) != 0)
      process_.fault(name_, false);
  }

  void send(std::span<const std::byte> header, std::span<const std::byte> payload,
            TimeLeft& deadline) {
    while (!header.empty() || !payload.empty()) {
      auto parts = parts_of(header, payload);
      const ssize_t n = in_ ? ::writev(out_.get(), parts.data(), 2) : send_quietly(parts);
      if (n >= 0)
        advance(header, payload, static_cast<std::size_t>(n));
      else if (errno == EAGAIN)
        wait(true, deadline);
      else if (errno != EINTR)
        process_.fault(name_, false);
    }
  }

  // A service that is gone must not end this process by SIGPIPE. (For pipes the parent keeps the
  // other end open, so that there is always a reader.)
  ssize_t send_quietly(std::array<iovec, 2>& parts) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    return ::sendmsg(out_.get(), &message, MSG_NOSIGNAL);
  }

  // The payload is sent with its header and usually there with it: read before waiting.
  void receive(std::span<std::byte> data, bool wait_first, TimeLeft& deadline) {
    if (wait_first) wait(false, deadline);
    while (!data.empty()) {
      const ssize_t n = ::read(in(), data.data(), data.size());
      if (n > 0)
        data = data.subspan(static_cast<std::size_t>(n));
      else if (n < 0 && errno == EAGAIN)
        wait(false, deadline);
      else if (n == 0 || errno != EINTR)
        process_.fault(name_, false);
    }
  }

  const char* name_;
  std::size_t limit_;
  std::chrono::milliseconds deadline_;
  SharedMemory shared_;
  UniqueFd in_, out_;  // a socket pair has only out_
  UniqueFd reader_;    // see send_quietly()
  ServiceProcess process_;
};

Mechanism describe(StreamKind kind, const char* how) {
  Mechanism m;
  m.name = name_of(kind);
  m.what = std::string("a forked process, messages copied through ") + how +
           ", the caller waits in poll; the kernel exchanges everything, page tables included";
  m.claims = {.memory = true, .control = true, .time = true};
  m.unavailable = [] { return std::string(); };
  return m;
}

}  // namespace

std::unique_ptr<Domain> make_stream_domain(StreamKind kind, const DomainOptions& options,
                                           ServiceFunction service) {
  return std::make_unique<StreamDomain>(kind, options, service);
}

Mechanism process_pipe_mechanism() {
  Mechanism m = describe(StreamKind::pipe, "two pipes");
  m.create = [](const DomainOptions& o) { return make_stream_domain(StreamKind::pipe, o); };
  return m;
}

Mechanism process_unix_mechanism() {
  Mechanism m = describe(StreamKind::unix_socket, "a Unix stream socket");
  m.create = [](const DomainOptions& o) { return make_stream_domain(StreamKind::unix_socket, o); };
  return m;
}

}  // namespace missive::domains
