#pragma once
// HTTP client of an origin (docs/origin-protocol.md), used by the cache and, when the cache fails,
// by the launcher itself. Every call has a deadline; bodies longer than expected are cut off and
// refused.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "real/zar/recipe.h"

namespace missive::origin {

class Client {
 public:
  // `base_url` like "http://127.0.0.1:8123". TCP_NODELAY is set: Nagle's algorithm and delayed
  // acknowledgements would add 40 ms to every small exchange (RFC 896, RFC 1122 section 4.2.3.2).
  // Once `cancel` (any pollable descriptor that outlives this; -1: none) is readable, a call that
  // waits for the origin ends with an error.
  Client(const std::string& base_url, std::chrono::milliseconds deadline, int cancel = -1);
  ~Client();

  // All throw RunError: no connection, deadline, cancelled, status other than 200, wrong length.
  std::vector<std::byte> get_boot_block(const std::string& application);
  std::vector<std::byte> get_recipe(const zar::Digest& image);
  // One POST for all `wanted` blocks; `sink` gets each block, in the order asked, once its SHA-256
  // was checked. Throws RunError naming the first block whose content does not hash to its name.
  void get_blocks(const zar::Digest& image, std::span<const zar::Digest> wanted,
                  std::uint32_t block_size,
                  const std::function<void(const zar::Digest&, std::span<const std::byte>)>& sink);

  std::uint64_t bytes_received() const;  // bodies only
  std::uint64_t requests() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace missive::origin
