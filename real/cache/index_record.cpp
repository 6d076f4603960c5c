#include "real/cache/index_record.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>

#include "real/cache/disk.h"
#include "real/cache/little_endian.h"

namespace missive::cache {
namespace {

constexpr char kMagic[] = "missive-store/2";
constexpr std::size_t kBootIdAt = 16, kRewritesAt = 56;
constexpr std::size_t kOffsetAt = 32, kLengthAt = 40, kKindAt = 44, kChecksumAt = 52;
constexpr std::uint32_t kDropped = 2;  // added to the kind

}  // namespace

std::array<std::byte, IndexRecord::kBytes> IndexRecord::encode() const {
  std::array<std::byte, kBytes> out{};
  std::memcpy(out.data(), content.name.bytes.data(), content.name.bytes.size());
  store_le(out.data() + kOffsetAt, offset);
  store_le(out.data() + kLengthAt, length);
  store_le(out.data() + kKindAt,
           static_cast<std::uint32_t>(content.kind) + (dropped ? kDropped : 0));
  store_le(out.data() + kChecksumAt, crc32_of(std::span(out).first(kChecksumAt)));
  return out;
}

std::optional<IndexRecord> IndexRecord::decode(std::span<const std::byte> in) {
  if (load_le<std::uint32_t>(in.data() + kChecksumAt) != crc32_of(in.first(kChecksumAt))) {
    return std::nullopt;
  }
  const auto kind = load_le<std::uint32_t>(in.data() + kKindAt);
  if (kind < 1 || kind > 4) return std::nullopt;
  IndexRecord r;
  r.dropped = kind > kDropped;
  r.content.kind = static_cast<ContentKind>(r.dropped ? kind - kDropped : kind);
  std::memcpy(r.content.name.bytes.data(), in.data(), r.content.name.bytes.size());
  r.offset = load_le<std::uint64_t>(in.data() + kOffsetAt);
  r.length = load_le<std::uint32_t>(in.data() + kLengthAt);
  // Sums of both cannot overflow then.
  if (r.length > kMaxLength || r.offset > (std::uint64_t{1} << 62)) return std::nullopt;
  return r;
}

IndexHead IndexHead::of_this_boot(std::uint64_t rewrites) {
  IndexHead head;
  head.rewrites = rewrites;
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (file >> id)
    std::copy_n(id.begin(), std::min(id.size(), head.boot_id.size()), head.boot_id.begin());
  return head;
}

std::array<std::byte, IndexHead::kBytes> IndexHead::encode() const {
  std::array<std::byte, kBytes> out{};
  std::memcpy(out.data(), kMagic, sizeof kMagic);
  std::memcpy(out.data() + kBootIdAt, boot_id.data(), boot_id.size());
  store_le(out.data() + kRewritesAt, rewrites);
  return out;
}

std::optional<IndexHead> IndexHead::decode(std::span<const std::byte> in) {
  if (in.size() < kBytes || std::memcmp(in.data(), kMagic, sizeof kMagic) != 0) {
    return std::nullopt;
  }
  IndexHead head;
  std::memcpy(head.boot_id.data(), in.data() + kBootIdAt, head.boot_id.size());
  head.rewrites = load_le<std::uint64_t>(in.data() + kRewritesAt);
  return head;
}

}  // namespace missive::cache
