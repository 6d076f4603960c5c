#pragma once
// How collections are made: units get numbers by their keys, and each application has each once.
// Internal to real/commonality.

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "real/commonality/collection.h"

namespace missive::commonality {

class Maker {
 public:
  void add(Member& member, std::uint64_t key, std::uint64_t length) {
    const auto [found, fresh] =
        ids_.emplace(key, static_cast<std::uint32_t>(collection_.lengths.size()));
    if (fresh) collection_.lengths.push_back(static_cast<std::uint32_t>(length));
    member.units.push_back(found->second);
  }
  void add(Member member) {
    std::sort(member.units.begin(), member.units.end());
    member.units.erase(std::unique(member.units.begin(), member.units.end()), member.units.end());
    collection_.members.push_back(std::move(member));
  }
  Collection take() { return std::move(collection_); }

 private:
  std::unordered_map<std::uint64_t, std::uint32_t> ids_;
  Collection collection_;
};

}  // namespace missive::commonality
