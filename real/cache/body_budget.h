#pragma once
// Memory for what goes beside messages (recipes, block tags), of all connections together: a
// client that asks for much and takes nothing must not make the cache grow.

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace missive::cache {

class BodyBudget {
 public:
  explicit BodyBudget(std::uint64_t most) : most_(most) {}

  // Some of it, given back when this goes.
  class Share {
   public:
    Share(Share&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (owner_ != nullptr) owner_->taken_ -= bytes_;
    }

   private:
    friend class BodyBudget;
    Share(BodyBudget* owner, std::uint64_t bytes) : owner_(owner), bytes_(bytes) {}
    BodyBudget* owner_;
    std::uint64_t bytes_;
  };

  // Nothing when that is more than is left. Safe for many threads.
  std::optional<Share> take(std::uint64_t bytes) {
    if (bytes > most_) return std::nullopt;
    if (taken_.fetch_add(bytes) > most_ - bytes) {
      taken_ -= bytes;
      return std::nullopt;
    }
    return Share(this, bytes);
  }

 private:
  const std::uint64_t most_;
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace missive::cache
