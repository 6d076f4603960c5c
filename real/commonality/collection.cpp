#include "real/commonality/collection.h"

#include <algorithm>
#include <unordered_map>

#include "models/error.h"
#include "real/commonality/maker.h"

namespace missive::commonality {

namespace {

constexpr std::uint64_t kPage = 4096;

// Of the block at `index` in a file: a bijection of 64 bits for each index (odd multipliers).
std::uint64_t place_key(std::uint64_t digest, std::uint64_t index) {
  std::uint64_t x = digest + index * 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

std::uint64_t digest_of(const launch::LaunchTrace::File& file) {
  return std::stoull("0" + file.digest.substr(0, 16), nullptr, 16);
}

std::uint64_t block_of(const std::string& units) {
  const std::uint64_t block = parse_cutting(units).block;
  if (block < kPage)
    throw InputError("units \"" + units + "\": a start has blocks of 4KiB and more");
  return block;
}

// Place of the cutting of that name.
std::size_t cutting_of(const BlockLists& lists, const std::string& units) {
  std::string known = "strings";
  for (std::size_t i = 0; i < lists.cuttings.size(); ++i) {
    if (lists.cuttings[i].name == units) return i;
    known += ", " + lists.cuttings[i].name;
  }
  throw InputError("units \"" + units + "\": these lists have " + known +
                   "; scripts/commonality-data --units makes others");
}

}  // namespace

Collection whole_content(const BlockLists& lists, const std::string& units) {
  const std::size_t which = units == "strings" ? 0 : cutting_of(lists, units);
  Maker maker;
  for (const ListedApplication& application : lists.applications) {
    Member member{application.name, application.family, {}, 0, 0};
    for (const std::uint32_t package : application.packages)
      for (const ListedFile& file : lists.packages[package].files) {
        ++member.files;
        member.path_bytes += file.path.size();
        if (file.size == 0) continue;
        if (units == "strings" || file.units[which].empty())
          maker.add(member, file.digest, file.size);
        else
          for (const ListedUnit& unit : file.units[which])
            maker.add(member, unit.hash, unit.length);
      }
    maker.add(std::move(member));
  }
  Collection c = maker.take();
  c.blocks = units != "strings" && lists.cuttings[which].block != 0;
  return c;
}

Collection opened_content(const std::vector<Start>& starts, const std::string& units) {
  const std::uint64_t block = units == "strings" ? UINT32_MAX : block_of(units);
  Maker maker;
  for (const Start& start : starts) {
    Member member{start.name, start.family, {}, 0, 0};
    for (std::size_t i = 0; i < start.trace.files.size(); ++i) {
      const auto& file = start.trace.files[i];
      ++member.files;
      member.path_bytes += start.trace.selection.files[i].size();
      for (std::uint64_t at = 0; at < file.size; at += block)
        maker.add(member, place_key(digest_of(file), at / block), std::min(block, file.size - at));
    }
    maker.add(std::move(member));
  }
  Collection c = maker.take();
  c.blocks = units != "strings";
  return c;
}

Collection touched_content(const std::vector<Start>& starts, const std::string& units) {
  const std::uint64_t block = block_of(units);
  Maker maker;
  for (const Start& start : starts) {
    Member member{start.name, start.family, {}, 0, 0};
    std::unordered_map<std::string, std::size_t> files;
    for (std::size_t i = 0; i < start.trace.files.size(); ++i) {
      files.emplace(start.trace.selection.files[i], i);
      ++member.files;
      member.path_bytes += start.trace.selection.files[i].size();
    }
    for (const auto& run : start.trace.selection.runs) {
      const auto& file = start.trace.files[files.at(run.path)];
      const std::uint64_t end = (std::uint64_t{run.first_page} + run.pages) * kPage;
      for (std::uint64_t at = run.first_page * kPage / block * block; at < end; at += block)
        maker.add(member, place_key(digest_of(file), at / block), std::min(block, file.size - at));
    }
    maker.add(std::move(member));
  }
  return maker.take();
}

std::uint64_t new_bytes(const Collection& c, std::size_t member,
                        const std::vector<std::size_t>& others) {
  std::vector<bool> held(c.lengths.size());
  for (const std::size_t other : others)
    for (const std::uint32_t unit : c.members[other].units) held[unit] = true;
  std::uint64_t bytes = 0;
  for (const std::uint32_t unit : c.members[member].units)
    if (!held[unit]) bytes += c.lengths[unit];
  return bytes;
}

std::uint64_t content_bytes(const Collection& c, std::size_t member) {
  return new_bytes(c, member, {});
}

}  // namespace missive::commonality
