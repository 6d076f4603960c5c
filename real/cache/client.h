#pragma once
// The launcher's side of the cache protocol (docs/cache-protocol.md): a Unix stream socket, one
// outstanding request. The cache is not trusted. Every call has a deadline; every reply is bounded
// and checked for form; what the bytes are worth only a verifier can say.
//
// All calls throw RunError: connection refused or lost, deadline passed, malformed or oversized
// reply, or an error the cache itself reports (its text is quoted). After a throw the client is
// unusable.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "real/fd.h"
#include "real/zar/digest.h"

namespace missive::cache {

struct LookupReply {
  bool assembled = false;  // an image of that name is ready to be handed over
  bool recipe_known = false;
  std::uint64_t blocks_missing = 0;  // meaningful when recipe_known
};
struct FetchReply {
  std::uint64_t bytes_fetched = 0;   // HTTP bodies: recipe and blocks
  std::uint64_t blocks_fetched = 0;  // distinct blocks
  std::uint64_t requests = 0;
};
struct AssembleReply {
  std::uint64_t bytes_assembled = 0;  // 0 when it was assembled already
};

// A connection, as connect() makes one. Throws RunError.
UniqueFd connect_to(const std::filesystem::path& socket, std::chrono::milliseconds deadline);

class Client {
 public:
  static Client connect(const std::filesystem::path& socket, std::chrono::milliseconds deadline);
  // Over a connected stream socket.
  static Client over(UniqueFd socket, std::chrono::milliseconds deadline);

  LookupReply lookup(const zar::Digest& image);
  // Asks the cache to get recipe and missing blocks from its origin.
  FetchReply fetch(const zar::Digest& image);
  AssembleReply assemble(const zar::Digest& image);
  // The assembled image as a sealed memfd. Checks nothing but that a descriptor came.
  UniqueFd get_sealed(const zar::Digest& image);
  // The assembled image through the socket into `into`, which must have exactly the expected
  // length.
  void get_copy(const zar::Digest& image, std::span<std::byte> into);
  // The untrusted key-value store for tags. Values up to 4 KiB.
  std::optional<std::vector<std::byte>> get_tag(const zar::Digest& key);
  void put_tag(const zar::Digest& key, std::span<const std::byte> value);
  // The recipe of an image, which must have exactly `length` bytes; the caller knows from the
  // signed shape how many. Not checked.
  std::vector<std::byte> get_recipe(const zar::Digest& image, std::uint64_t length);
  // The record of block tags of an image, exactly `length` bytes as the signed shape says; nothing
  // when there is none.
  std::optional<std::vector<std::byte>> get_block_tags(const zar::Digest& image,
                                                       std::uint64_t length);
  void put_block_tags(const zar::Digest& image, std::span<const std::byte> record);
  // Drops assembled images (memory only): the next assemble works again.
  void forget_assembled();
  // What the cache says of itself, as text for decode_metrics() (metrics.h).
  std::vector<std::byte> stat();

 private:
  UniqueFd socket_;
  std::chrono::milliseconds deadline_{};
};

}  // namespace missive::cache
