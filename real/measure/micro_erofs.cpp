// Micro-measurements of the delivery "erofs".

#include "models/error.h"
#include "real/launch/delivery.h"
#include "real/launch/erofs_view.h"
#include "real/launch/sealed_memory.h"
#include "real/measure/clock.h"
#include "real/measure/micro_list.h"

namespace missive::measure {

namespace {

// An image as a cache hands it over: a mapped memory file, sealed.
struct Sealed {
  explicit Sealed(const BenchImage& of)
      : file(launch::sealed_file_of(of.memory.bytes(), of.name)),
        memory(Mapping::read_only(file.get(), of.memory.bytes().size(), of.name)),
        image(zar::Image::open(memory.bytes(), of.name)) {}
  UniqueFd file;
  Mapping memory;
  zar::Image image;
};

double time_of_delivery(const BenchBed& bed, const zar::Image& image) {
  if (const auto why = launch::erofs_unavailable(); !why.empty())
    throw NotAvailable("delivery erofs: " + why);
  const auto delivery = launch::make_erofs_delivery();
  UniqueFd root;
  bed.evict_caches();
  return seconds_of([&] { root = delivery->deliver(image, nullptr); });
}

}  // namespace

void erofs_view(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"many", "nodes"}) {
    const zar::Image image = bed.image(name).open();
    bed.evict_caches();
    sample.add(1, 0, image.entries().size(),
               seconds_of([&] { keep(launch::make_erofs_view(launch::ImageTree(image)).length); }));
  }
}

void erofs_mount(BenchBed& bed, Sampler& sample) {
  const Sealed one(bed.image("empty"));
  sample.add(1, 0, 0, time_of_delivery(bed, one.image));
}

}  // namespace missive::measure
