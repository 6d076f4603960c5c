#include "real/domains/requests.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>

#include "models/random.h"

namespace missive::domains {

namespace {

std::vector<std::byte> from_words(const std::vector<std::uint32_t>& words) {
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

std::uint32_t word_of(Random& random) { return static_cast<std::uint32_t>(random.bits()); }

std::vector<std::byte> random_bytes(std::size_t bytes, Random& random) {
  std::vector<std::byte> out(bytes);
  for (std::size_t at = 0; at < bytes; at += 8) {
    const std::uint64_t value = random.bits();
    std::memcpy(out.data() + at, &value, std::min<std::size_t>(8, bytes - at));
  }
  return out;
}

std::vector<std::byte> cycle(std::size_t words, Random& random) {
  std::vector<std::uint32_t> next(words);
  std::iota(next.begin(), next.end(), 0U);
  for (std::size_t i = words; i-- > 1;) std::swap(next[i], next[random.below(i)]);
  return from_words(next);
}

std::vector<std::byte> keys(std::size_t words, Random& random) {
  std::vector<std::uint32_t> all(words);
  const std::size_t in_table = words / 2;
  for (std::size_t i = 0; i < words; ++i)
    all[i] = i < in_table || random.below(2) == 0 ? word_of(random) : all[random.below(in_table)];
  return from_words(all);
}

std::vector<std::byte> json(std::size_t bytes, Random& random) {
  std::string text = "[";
  for (;;) {
    std::string member = text.size() > 1 ? ",{" : "{";
    member += "\"id\":" + std::to_string(random.below(1'000'000)) + ",\"name\":\"item \\\"" +
              std::to_string(random.below(1000)) + "\\\"\",\"at\":[" +
              std::to_string(random.below(100)) + ".5,-" + std::to_string(random.below(9)) + "e3]";
    if (random.below(4) == 0) member += ",\"more\":{\"flag\":true,\"list\":[1,[2,[3]]]}";
    member += "}";
    if (text.size() + member.size() + 1 > bytes) break;
    text += member;
  }
  text += "]";
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

}  // namespace

std::vector<std::byte> make_request(Entry entry, std::size_t bytes, std::uint64_t seed) {
  Random random(seed, static_cast<std::uint64_t>(entry));
  const bool any_size = entry == Entry::null || entry == Entry::sum || entry == Entry::hash;
  if (!any_size && bytes < 64)
    throw InputError(std::string("a request of ") + std::to_string(bytes) + " bytes for '" +
                     name_of(entry) + "' is too small; give at least 64");
  switch (entry) {
    case Entry::walk:
      return cycle(bytes / 4, random);
    case Entry::lookup:
      return keys(bytes / 4, random);
    case Entry::json_scan:
      return json(bytes, random);
    case Entry::sort:
      return random_bytes(bytes / 4 * 4, random);
    case Entry::null:
    case Entry::hash:
    case Entry::sum:
    case Entry::clock:
    case Entry::marshalled_sum:
    case Entry::sealed_sum:
      break;
  }
  return random_bytes(bytes, random);
}

std::size_t reply_room(Entry entry, std::size_t request_bytes) {
  switch (entry) {
    case Entry::null:
      return 0;
    case Entry::hash:
      return 32;
    case Entry::json_scan:
      return 16;
    case Entry::sort:
    case Entry::lookup:
      return std::max<std::size_t>(request_bytes, 8);
    case Entry::walk:
    case Entry::sum:
    case Entry::clock:
    case Entry::marshalled_sum:
    case Entry::sealed_sum:
      break;
  }
  return 8;
}

const std::vector<Entry>& kernels() {
  static const std::vector<Entry> all = {Entry::hash,   Entry::sort, Entry::json_scan,
                                         Entry::lookup, Entry::walk, Entry::sum};
  return all;
}

const char* name_of(Entry entry) {
  switch (entry) {
    case Entry::null:
      return "null";
    case Entry::hash:
      return "hash";
    case Entry::sort:
      return "sort";
    case Entry::json_scan:
      return "json_scan";
    case Entry::lookup:
      return "lookup";
    case Entry::walk:
      return "walk";
    case Entry::sum:
      return "sum";
    case Entry::clock:
      return "clock";
    case Entry::marshalled_sum:
      return "marshalled_sum";
    case Entry::sealed_sum:
      return "sealed_sum";
  }
  return "unknown";
}

}  // namespace missive::domains
