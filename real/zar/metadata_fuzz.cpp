// The metadata of images, nearer to what is accepted than image_fuzz.cpp gets: the input is a list
// of changes to a valid image, so that all of it but the changed fields stays right.
//
//   1 byte    which image
//   each change: 2 bytes offset, 1 byte n, then 1 + n % 8 bytes that are written there

#include "real/zar/metadata.h"

#include "real/fuzz/fuzz_target.h"
#include "real/fuzz/sample_images.h"
#include "real/zar/image.h"
#include "real/zar/recipe.h"
#include "real/zar/wire.h"

namespace missive::fuzz {

namespace {

const std::vector<Bytes>& images() {
  static const std::vector<Bytes> all = sample_images();
  return all;
}

Bytes changed(std::span<const std::byte> input) {
  zar::FieldReader p(input, "changes");
  Bytes image = images()[p.get<std::uint8_t>() % images().size()];
  while (p.left() >= 4) {
    const std::size_t at = p.get<std::uint16_t>() % image.size();
    const std::size_t count = std::size_t{1} + p.get<std::uint8_t>() % 8;
    const auto bytes = p.take(std::min({count, p.left(), image.size() - at}));
    std::copy(bytes.begin(), bytes.end(), image.begin() + static_cast<long>(at));
  }
  return image;
}

void run(std::span<const std::byte> input) {
  accepts([&] {
    const Bytes bytes = changed(input);
    const zar::Image image = zar::Image::open(bytes, "image");
    std::vector<std::byte> scratch;
    for (std::uint32_t i = 0; i < image.entries().size(); ++i) {
      const zar::Entry& e = image.entries()[i];
      require(
          e.path == "/" ||
              image.find(e.path.substr(0, std::max<std::size_t>(e.path.rfind('/'), 1))).has_value(),
          "every entry has a parent");
      require(image.content(e).size() == (e.in_extents ? 0 : e.size), "content is as long as said");
      for (const auto& a : image.attributes(e)) require(a.name.starts_with("user."), "namespace");
      if (e.kind == zar::EntryKind::file)
        accepts([&] { image.view(e, e.size / 2, 5000, scratch); });
    }
    zar::make_recipe(image).name();
  });
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> all;
  // Nothing changed; then each byte of the header, and fields of all sections, written over.
  for (std::uint8_t i = 0; i < images().size(); ++i) {
    all.push_back({std::byte{i}});
    for (std::uint16_t at = 16; at < 2048; at = static_cast<std::uint16_t>(at + 40)) {
      zar::FieldWriter b;
      b.put<std::uint8_t>(i).put<std::uint16_t>(at).put<std::uint8_t>(3).put<std::uint32_t>(1);
      all.push_back(b.take());
    }
  }
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 20'000};

}  // namespace missive::fuzz
