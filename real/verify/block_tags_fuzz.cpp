// Records of block tags: only the one that was made under the key passes, and only as it was made.

#include "real/verify/block_tags.h"

#include "real/fuzz/fuzz_target.h"
#include "real/verify/record_seeds.h"
#include "real/zar/recipe.h"
#include "real/zar/test_tree.h"

namespace missive::fuzz {

namespace {

struct Known {
  verify::Expected expected;
  verify::ApplicationSecret secret;
  verify::TagRecord record;
};

const Known& known() {
  static const Known k = [] {
    Known made;
    const Bytes image = bytes_of(zar::noise(3 * 4096, 1));
    const zar::Recipe recipe = zar::make_recipe(image, 4096, 4);
    made.expected = {recipe.name(), recipe.shape, "gnumeric", 7};
    made.secret.bytes.fill(std::byte{5});
    made.record = verify::make_block_tags(image, made.expected, made.secret);
    return made;
  }();
  return k;
}

void run(std::span<const std::byte> input) {
  const Known& k = known();
  const verify::TagRecord record{{input.begin(), input.end()}};
  if (accepts([&] { verify::open_block_tags(record, k.expected, k.secret); }))
    require(record.bytes == k.record.bytes, "no record passes that was not made under the key");
}

std::vector<Bytes> seeds() { return record_seeds(known().record.bytes); }

}  // namespace

const Target kTarget = {run, seeds, 20'000};

}  // namespace missive::fuzz
