// Decompression of single units. Input: 1 byte codec, 2 bytes length to fill, the compressed unit.

#include "real/fuzz/fuzz_target.h"
#include "real/zar/test_tree.h"
#include "real/zar/transport.h"
#include "real/zar/wire.h"

namespace missive::fuzz {

namespace {

void run(std::span<const std::byte> input) {
  if (input.size() < 3) return;
  const auto& all = zar::codecs();
  const zar::CodecChoice& codec = *all[std::to_integer<unsigned>(input[0]) % all.size()];
  Bytes to(zar::load_le<std::uint16_t>(input, 1));
  if (!codec.decompress(input.subspan(3), to)) return;
  const Bytes again = codec.compress(to, 0);
  Bytes back(to.size());
  require(again.empty() || (codec.decompress(again, back) && back == to),
          "what was decompressed survives the way there and back");
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> all;
  std::string text = zar::noise(300, 1);
  for (int i = 0; i < 100; ++i) text += "line of text, and again\n";
  const Bytes plain = bytes_of(text);
  for (std::size_t c = 0; c < zar::codecs().size(); ++c) {
    zar::FieldWriter b;
    b.put<std::uint8_t>(static_cast<std::uint8_t>(c));
    b.put<std::uint16_t>(static_cast<std::uint16_t>(plain.size()));
    b.put_bytes(zar::codecs()[c]->compress(plain, 0));
    all.push_back(b.take());
  }
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 20'000};

}  // namespace missive::fuzz
