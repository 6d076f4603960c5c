// Boot blocks. The first byte chooses: as it came, where only the true block may pass; or signed by
// the vendor, because the fields are read behind a signature no fuzzer can make.

#include "real/origin/boot_block.h"

#include "real/fuzz/fuzz_target.h"

namespace missive::fuzz {

namespace {

const origin::SigningKey& key() {
  static const origin::SigningKey fixed{{std::byte{7}, std::byte{1}}};
  return fixed;
}

Bytes true_block() {
  zar::Digest name;
  name.bytes[3] = std::byte{9};
  return origin::sign({"gnumeric", 7, name, {65'536, 4096, 4}}, key());
}

void run(std::span<const std::byte> input) {
  static const verify::PublicKey vendor = origin::public_key(key());
  static const Bytes known = true_block();
  if (input.empty()) return;
  const auto rest = input.subspan(1);
  if (input[0] == std::byte{0}) {
    if (accepts([&] { origin::open_boot_block(rest, vendor, "boot block"); }))
      require(std::ranges::equal(rest, known), "only what the vendor signed passes");
    return;
  }
  const auto signature = origin::sign_bytes(rest, key());
  Bytes block(signature.begin(), signature.end());
  block.insert(block.end(), rest.begin(), rest.end());
  accepts([&] {
    const auto opened = origin::open_boot_block(block, vendor, "boot block");
    require(origin::sign(opened, key()) == block, "a statement has one encoding");
  });
}

std::vector<Bytes> seeds() {
  Bytes raw = true_block(), fields(raw.begin() + 64, raw.end());
  raw.insert(raw.begin(), std::byte{0});
  fields.insert(fields.begin(), std::byte{1});
  return {raw, fields};
}

}  // namespace

const Target kTarget = {run, seeds, 5'000};

}  // namespace missive::fuzz
