#pragma once
// What an untrusted cache could do, on request.
//
// A launcher must survive every one of these, and its tests need a cache that does them. They are
// options of the real server rather than a second server for tests, so that everything around the
// fault is as in a real launch. All off by default; no experiment turns one on.

#include <cstdint>
#include <optional>

#include "real/cache/wire.h"

namespace missive::cache {

struct Misbehaviour {
  // The process ends, without a word, once it has received this many bytes of blocks in fetches.
  std::optional<std::uint64_t> die_after_fetched_bytes{};
  // It ends when such a request arrives.
  std::optional<wire::Message> die_at{};
  // Such a request is read and never answered.
  std::optional<wire::Message> never_answer{};
  // This bit of every assembled image is wrong.
  std::optional<std::uint64_t> flip_bit{};
  // Images are handed over without seals: the cache could change them later.
  bool unsealed = false;
  // Images are this much longer or shorter than they should be.
  std::int64_t extra_length = 0;
  // Every tag asked for exists, and is nonsense.
  bool garbage_tags = false;
};

}  // namespace missive::cache
