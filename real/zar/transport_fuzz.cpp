// The transport form: what unpack() writes has the name that it reports; a refusal writes nothing.

#include "real/zar/transport.h"

#include "real/fuzz/fuzz_target.h"
#include "real/fuzz/sample_images.h"

namespace missive::fuzz {

namespace {

namespace fs = std::filesystem;

void run(std::span<const std::byte> input) {
  static const zar::TemporaryDirectory dir;
  const fs::path output = dir.path() / "image";
  zar::TransportReport report;
  if (accepts([&] { report = zar::unpack(input, "transport form", 1, output); })) {
    const Bytes image = zar::read_file(output);
    require(zar::make_recipe(zar::Image::open(image, "image")).name() == report.name,
            "the image is the one that was reported");
    fs::remove(output);
  }
  require(fs::is_empty(dir.path()), "nothing is left behind");
}

std::vector<Bytes> seeds() {
  const zar::TemporaryDirectory dir;
  std::vector<Bytes> all;
  for (const Bytes& image : sample_images())
    for (const zar::CodecChoice* codec : zar::codecs()) {
      zar::pack(zar::Image::open(image, "image"), *codec, 0, 1, dir.path() / "packed");
      all.push_back(zar::read_file(dir.path() / "packed"));
    }
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 5'000};

}  // namespace missive::fuzz
