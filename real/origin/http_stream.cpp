#include "real/origin/http_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

#include "real/origin/connection.h"

namespace missive::origin {
namespace {

// Large enough that a block costs few system calls; small enough for the second-level cache, and
// for malloc to reuse instead of mapping and clearing it anew for each message (mallopt(3),
// M_MMAP_THRESHOLD).
constexpr std::size_t kBuffer = 64 * 1024;

}  // namespace

HttpStream::HttpStream(int socket, std::chrono::steady_clock::time_point end,
                       std::chrono::milliseconds pause, std::size_t head_limit, int cancel)
    : socket_(socket),
      end_(end),
      pause_(pause),
      head_left_(head_limit),
      cancel_(cancel),
      buffer_(std::make_unique_for_overwrite<char[]>(kBuffer)) {}

bool HttpStream::wait_for(short events) const {
  const Waited how = wait_for_socket(socket_, events, end_, pause_, cancel_);
  timed_out_ = timed_out_ || how == Waited::timed_out;
  cancelled_ = cancelled_ || how == Waited::cancelled;
  return how == Waited::ready;
}

bool HttpStream::is_readable() const { return left_over() > 0 || wait_for(POLLIN); }
bool HttpStream::is_writable() const { return wait_for(POLLOUT); }

ssize_t HttpStream::refill() {
  // The clock is looked at each time, also when data is waiting: a steady trickle must end too.
  while (std::chrono::steady_clock::now() < end_) {
    const ssize_t n = ::recv(socket_, buffer_.get(), kBuffer, MSG_DONTWAIT);
    if (n >= 0) {
      used_ = 0;
      filled_ = static_cast<std::size_t>(n);
      return n;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_for(POLLIN)) return -1;
  }
  timed_out_ = true;
  return -1;
}

ssize_t HttpStream::read(char* to, std::size_t size) {
  if (in_head_ && head_left_ == 0) return -1;
  if (left_over() == 0) {
    const ssize_t n = refill();
    if (n <= 0) return n;
  }
  std::size_t n = std::min(size, left_over());
  if (in_head_) {
    n = std::min(n, head_left_);
    head_left_ -= n;
  }
  std::memcpy(to, buffer_.get() + used_, n);
  used_ += n;
  return static_cast<ssize_t>(n);
}

ssize_t HttpStream::write(const char* from, std::size_t size) {
  while (std::chrono::steady_clock::now() < end_) {
    const ssize_t n = ::send(socket_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return n;
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_for(POLLOUT)) return -1;
  }
  timed_out_ = true;
  return -1;
}

// The library asks only to fill in fields of Request that nobody here reads.
void HttpStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = -1;
}
void HttpStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = -1;
}

}  // namespace missive::origin
