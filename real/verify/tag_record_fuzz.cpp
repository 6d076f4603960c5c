// Tag records: only one that was made under the key passes, and only as it was made.

#include <string>
#include <string_view>

#include "real/fuzz/fuzz_target.h"
#include "real/verify/record_seeds.h"
#include "real/verify/verifier.h"
#include "real/zar/recipe.h"
#include "real/zar/test_tree.h"

namespace missive::fuzz {

namespace {

// One that make_tag() made for the image below; it draws its nonce at random, and a fuzz target
// must do the same each time.
constexpr std::string_view kRecord =
    "4d53565441470d0a0100000001000000948044f73bbfc9f445a955d0cd9d58a5"
    "94a1ce04cd0af09c0acc5181f8711a67070000000000000097d060d5e05da4cc"
    "5bd66db400000000f7e98ae7f072083204b1a59458a33b97";

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

struct Known {
  Bytes image;
  verify::Expected expected;
  verify::MacKey key;
  verify::TagRecord record;
};

const Known& known() {
  static const Known k = [] {
    Known made;
    made.image = bytes_of(zar::noise(2 * 4096, 1));
    const zar::Recipe recipe = zar::make_recipe(made.image, 4096, 4);
    made.expected = {recipe.name(), recipe.shape, "gnumeric", 7};
    made.key.bytes.fill(std::byte{5});
    made.record = {from_hex(kRecord)};
    require(accepts([&] { verify::verify_tag(made.image, made.expected, made.key, made.record); }),
            "the record is right");
    return made;
  }();
  return k;
}

void run(std::span<const std::byte> input) {
  const Known& k = known();
  const verify::TagRecord record{{input.begin(), input.end()}};
  if (accepts([&] { verify::verify_tag(k.image, k.expected, k.key, record); }))
    require(record.bytes == k.record.bytes, "no record passes that was not made under the key");
}

std::vector<Bytes> seeds() { return record_seeds(known().record.bytes); }

}  // namespace

const Target kTarget = {run, seeds, 20'000};

}  // namespace missive::fuzz
