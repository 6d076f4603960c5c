// Images: what open() accepts can be read to the last byte, and says the same of its own units each
// time. The input is the image.

#include "real/zar/image.h"

#include "real/fuzz/fuzz_target.h"
#include "real/fuzz/sample_images.h"
#include "real/zar/recipe.h"

namespace missive::fuzz {

namespace {

// Reading all of it: a place outside the image is the sanitizer's to see.
unsigned sum(std::span<const std::byte> bytes) {
  unsigned total = 0;
  for (const std::byte b : bytes) total += std::to_integer<unsigned>(b);
  return total;
}

void read_entry(const zar::Image& image, std::uint32_t i, std::vector<std::byte>& scratch) {
  const zar::Entry& e = image.entries()[i];
  require(zar::is_image_path(e.path), "paths are absolute and normalised");
  require(image.find(e.path) == i, "an entry is found by its path");
  require(image.link_of(i) <= i, "links lead to earlier entries");
  for (const auto& a : image.attributes(e)) sum(a.value);
  for (const std::uint32_t child : image.children(i)) require(child > i, "children follow");
  if (e.kind == zar::EntryKind::directory) return;
  sum(image.content(e));
  std::uint64_t end = 0;
  for (const auto& extent : image.extents(e)) {
    require(extent.file_offset >= end && extent.file_end() <= e.size, "extents lie in order");
    end = extent.file_end();
  }
  for (const std::uint64_t at :
       {std::uint64_t{0}, e.size / 2, e.size - std::min<std::uint64_t>(e.size, 7)})
    accepts([&] { sum(image.view(e, at, 9000, scratch)); });
}

void run(std::span<const std::byte> input) {
  accepts([&] {
    const zar::Image image = zar::Image::open(input, "image");
    std::vector<std::byte> scratch;
    const auto entries = static_cast<std::uint32_t>(image.entries().size());
    for (std::uint32_t i = 0; i < entries; ++i) read_entry(image, i, scratch);
    for (const auto& r : image.launch_runs()) require(r.entry < entries, "runs are of entries");
    for (const auto name : image.absent()) require(!image.find(name), "absent names are absent");
    const zar::Recipe recipe = zar::make_recipe(image);
    require(recipe.name() == zar::make_recipe(image).name(), "one image has one name");
    require(zar::Recipe::parse(recipe.serialize(), "own recipe").name() == recipe.name(),
            "an image's recipe is one that can be read");
  });
}

}  // namespace

const Target kTarget = {run, sample_images, 20'000};

}  // namespace missive::fuzz
