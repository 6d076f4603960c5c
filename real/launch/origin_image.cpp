#include "real/launch/origin_image.h"

#include <cstring>

#include "models/error.h"
#include "real/origin/client.h"
#include "real/zar/recipe.h"

namespace missive::launch {

OriginImage image_from_origin(const std::string& url, const zar::Digest& image,
                              const zar::TreeShape& shape, std::chrono::milliseconds deadline) {
  origin::Client origin(url, deadline);
  const auto recipe = zar::Recipe::parse(origin.get_recipe(image), "recipe from the origin");
  if (recipe.name() != image) throw RunError("the origin's recipe is not the signed image's");
  OriginImage result;
  result.memory = Mapping::anonymous(shape.length, "the image");
  std::size_t at = 0;
  const auto into = result.memory.writable();
  origin.get_blocks(image, recipe.leaves, recipe.shape.block_size,
                    [&](const zar::Digest&, std::span<const std::byte> block) {
                      std::memcpy(into.data() + at, block.data(), block.size());
                      at += block.size();
                    });
  result.amounts[Amount::bytes_fetched] = origin.bytes_received();
  result.amounts[Amount::blocks_fetched] = recipe.leaves.size();
  return result;
}

}  // namespace missive::launch
