#pragma once
// Messages of the cache protocol (docs/cache-protocol.md) on a Unix stream socket, for both ends:
// framing, limits, deadlines, and a descriptor passed along.
//
// All functions throw RunError, prefixed with `where`: deadline passed, connection lost, or a
// message that is not of the protocol. They never wait beyond the deadline and never allocate more
// than the limits below.

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "real/fd.h"

namespace missive::cache::wire {

enum class Message : std::uint16_t {
  lookup = 1,
  fetch = 2,
  assemble = 3,
  get_sealed = 4,
  get_copy = 5,
  get_tag = 6,
  put_tag = 7,
  forget_assembled = 8,
  get_recipe = 9,
  get_block_tags = 10,
  put_block_tags = 11,
  stat = 16,
  reply = 0x8000,  // added to the request's number
  error = 0xffff,
};

inline constexpr std::size_t kHeadBytes = 12;
inline constexpr std::size_t kMaxPayload = 32 + 4096;  // put_tag: a key and the largest value
inline constexpr std::size_t kMaxErrorText = 512;

constexpr Message reply_to(Message request) {
  return static_cast<Message>(static_cast<std::uint16_t>(request) |
                              static_cast<std::uint16_t>(Message::reply));
}

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds from_now)
      : limit_(from_now), end_(std::chrono::steady_clock::now() + from_now) {}
  // Returns once `socket` is ready for `events` (poll(2)); throws when the time is over.
  void wait_for(int socket, short events, const std::string& where) const;

 private:
  std::chrono::milliseconds limit_;
  std::chrono::steady_clock::time_point end_;
};

struct Received {
  Message type = Message::error;
  std::vector<std::byte> payload;
  UniqueFd descriptor;  // if one came
};

void send_bytes(int socket, std::span<const std::byte> bytes, const Deadline& deadline,
                const std::string& where);
void receive_bytes(int socket, std::span<std::byte> into, const Deadline& deadline,
                   const std::string& where);

// `descriptor` -1: none.
void send_message(int socket, Message type, std::span<const std::byte> payload, int descriptor,
                  const Deadline& deadline, const std::string& where);
// Takes at most one descriptor, close-on-exec, if `with_descriptor`; whatever else the peer
// attached is closed by the kernel or here, and refused.
Received receive_message(int socket, bool with_descriptor, const Deadline& deadline,
                         const std::string& where);

}  // namespace missive::cache::wire
