#include "real/cache/content_check.h"

#include "models/error.h"
#include "real/zar/recipe.h"

namespace missive::cache {

bool is_what_it_says(const Content& content, std::span<const std::byte> bytes) {
  if (content.kind == ContentKind::block) return zar::sha256(bytes) == content.name;
  try {
    return zar::Recipe::parse(bytes, "recipe").name() == content.name;
  } catch (const InputError&) {
    return false;
  }
}

}  // namespace missive::cache
