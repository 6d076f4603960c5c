// Recipes: there is one wire form for each, and its name can be computed.

#include "real/zar/recipe.h"

#include "real/fuzz/fuzz_target.h"
#include "real/fuzz/sample_images.h"
#include "real/zar/image.h"

namespace missive::fuzz {

namespace {

void run(std::span<const std::byte> input) {
  accepts([&] {
    const zar::Recipe recipe = zar::Recipe::parse(input, "recipe");
    require(std::ranges::equal(recipe.serialize(), input), "a recipe reads in one way only");
    require(recipe.leaves.size() * 32 <= input.size(), "leaves never outgrow the input");
    recipe.name();
  });
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> all;
  for (const Bytes& image : sample_images())
    all.push_back(zar::make_recipe(zar::Image::open(image, "image")).serialize());
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 50'000};

}  // namespace missive::fuzz
