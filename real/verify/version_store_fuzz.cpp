// The version store's file: the monitor's own, but what a disk returns is not always what was
// written. The first byte chooses: as it is, or with the checksum that makes the fields count.

#include "real/verify/version_store.h"

#include "real/fuzz/fuzz_target.h"

namespace missive::fuzz {

namespace {

void run(std::span<const std::byte> input) {
  if (input.empty()) return;
  Bytes file(input.begin() + 1, input.end());
  if (input[0] != std::byte{0}) {
    const zar::Digest checksum = zar::sha256(file);
    file.insert(file.end(), checksum.bytes.begin(), checksum.bytes.end());
  }
  accepts([&] {
    const auto table = verify::VersionStore::decode(file, "version store");
    require(verify::VersionStore::encode(table) == file, "a store has one encoding");
  });
}

std::vector<Bytes> seeds() {
  verify::VersionStore::Table table;
  table[{verify::PublicKey{}, "abiword"}] = {3, {}};
  table[{verify::PublicKey{}, "gnumeric"}] = {7, {}};
  Bytes file = verify::VersionStore::encode(table);
  file.insert(file.begin(), std::byte{0});
  Bytes fields(file.begin(), file.end() - 32);
  fields[0] = std::byte{1};
  return {file, fields};
}

}  // namespace

const Target kTarget = {run, seeds, 20'000};

}  // namespace missive::fuzz
