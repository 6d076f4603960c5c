#pragma once
// Marshalling with a serialiser people use: Protocol Buffers, because that is what the services
// speak whose communication tax has been published (RPC stacks of data centres), and what gRPC
// brings along. Messages are rows of 64 bytes, in memory as a program would keep them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace missive::domains {

struct FlatRecord {
  static constexpr std::size_t kMostText = 512;
  std::uint64_t key;
  std::uint32_t counters[4];
  char text[40];  // without a terminating 0
};
static_assert(sizeof(FlatRecord) == 64);

// The sender's half: objects built from the rows, and serialised. A sender keeps its buffer and its
// objects; only what grows is allocated anew.
class Marshaller {
 public:
  Marshaller();
  ~Marshaller();
  Marshaller(const Marshaller&) = delete;
  Marshaller& operator=(const Marshaller&) = delete;

  // `rows` are whole FlatRecords. The result is valid until the next call.
  std::span<const std::byte> encode(std::span<const std::byte> rows);
  // The same with texts of `text_bytes` (at most kMostText), each the row's first byte again and
  // again: other shapes, for calibration.
  std::span<const std::byte> encode(std::span<const std::byte> rows, std::size_t text_bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The receiver's half: parsed into fresh objects, as a service does with a request, and every byte
// of every field added up, which for encode(rows) is the sum of the rows' bytes. -1 when it is no
// such message.
std::int64_t parse_and_sum(std::span<const std::byte> message);

}  // namespace missive::domains
