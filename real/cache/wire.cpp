#include "real/cache/wire.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

#include "models/error.h"
#include "real/cache/little_endian.h"

namespace missive::cache::wire {
namespace {

// "MSVC" as bytes, and the protocol's version.
constexpr std::uint32_t kMagic = 0x4356534d;
constexpr std::uint16_t kVersion = 1;

// Room for more descriptors than anybody should send, so that they arrive and can be closed.
union ControlBuffer {
  std::array<char, CMSG_SPACE(4 * sizeof(int))> bytes;
  cmsghdr aligned;
};

[[noreturn]] void lost(const std::string& where) {
  throw RunError(where + ": the connection was lost");
}

std::vector<UniqueFd> descriptors_in(msghdr& message) {
  std::vector<UniqueFd> out;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      out.emplace_back(fd);
    }
  }
  return out;
}

// Like receive_bytes, for the head: with the descriptors that came with it (unix(7), SCM_RIGHTS).
UniqueFd receive_head(int socket, std::span<std::byte> into, const Deadline& deadline,
                      const std::string& where) {
  std::vector<UniqueFd> all;
  while (!into.empty()) {
    iovec piece{into.data(), into.size()};
    ControlBuffer control{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t n = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      deadline.wait_for(socket, POLLIN, where);
      continue;
    }
    if (n <= 0) lost(where);
    for (UniqueFd& fd : descriptors_in(message)) all.push_back(std::move(fd));
    if ((message.msg_flags & MSG_CTRUNC) != 0 || all.size() > 1) {
      throw RunError(where + ": more descriptors came than the protocol has");
    }
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return all.empty() ? UniqueFd() : std::move(all.front());
}

}  // namespace

void Deadline::wait_for(int socket, short events, const std::string& where) const {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      throw RunError(where + ": no complete answer within " + std::to_string(limit_.count()) +
                     " ms");
    }
    pollfd p{socket, events, 0};
    const auto patience = std::min<std::int64_t>(left.count(), 3'600'000);
    if (::poll(&p, 1, static_cast<int>(patience)) > 0) return;
  }
}

void send_bytes(int socket, std::span<const std::byte> bytes, const Deadline& deadline,
                const std::string& where) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      deadline.wait_for(socket, POLLOUT, where);
      continue;
    }
    if (n <= 0) lost(where);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void receive_bytes(int socket, std::span<std::byte> into, const Deadline& deadline,
                   const std::string& where) {
  while (!into.empty()) {
    // Waiting first also ends a peer that always has a little more before the time is over.
    deadline.wait_for(socket, POLLIN, where);
    const ssize_t n = ::recv(socket, into.data(), into.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) lost(where);
    into = into.subspan(static_cast<std::size_t>(n));
  }
}

void send_message(int socket, Message type, std::span<const std::byte> payload, int descriptor,
                  const Deadline& deadline, const std::string& where) {
  std::vector<std::byte> bytes;
  bytes.reserve(kHeadBytes + payload.size());
  append_le(bytes, kMagic);
  append_le(bytes, kVersion);
  append_le(bytes, static_cast<std::uint16_t>(type));
  append_le(bytes, static_cast<std::uint32_t>(payload.size()));
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  if (descriptor < 0) return send_bytes(socket, bytes, deadline, where);

  iovec piece{bytes.data(), bytes.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(sizeof(int));
  cmsghdr* const c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
  for (;;) {
    const ssize_t n = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      deadline.wait_for(socket, POLLOUT, where);
      continue;
    }
    if (n <= 0) lost(where);
    return send_bytes(socket, std::span(bytes).subspan(static_cast<std::size_t>(n)), deadline,
                      where);
  }
}

Received receive_message(int socket, bool with_descriptor, const Deadline& deadline,
                         const std::string& where) {
  std::array<std::byte, kHeadBytes> head{};
  Received received;
  if (with_descriptor) {
    received.descriptor = receive_head(socket, head, deadline, where);
  } else {
    receive_bytes(socket, head, deadline, where);  // plain recv(2) drops descriptors
  }
  if (load_le<std::uint32_t>(head.data()) != kMagic ||
      load_le<std::uint16_t>(head.data() + 4) != kVersion) {
    throw RunError(where + ": not a message of the cache protocol, version 1");
  }
  received.type = static_cast<Message>(load_le<std::uint16_t>(head.data() + 6));
  const auto length = load_le<std::uint32_t>(head.data() + 8);
  if (length > kMaxPayload) {
    throw RunError(where + ": a message of " + std::to_string(length) + " bytes; at most " +
                   std::to_string(kMaxPayload) + " are allowed");
  }
  received.payload.resize(length);
  receive_bytes(socket, received.payload, deadline, where);
  return received;
}

}  // namespace missive::cache::wire
