#include "real/zar/transport.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "models/error.h"
#include "real/fd.h"
#include "real/zar/output_file.h"
#include "real/zar/parallel.h"
#include "real/zar/wire.h"

// Layout:
//   0   8  magic MSVTRN\r\n      8  4  form version 1
//   12  1  codec id, 3 reserved  16 8  length of the recipe
//   24  .. recipe; then for each unit 4 bytes, the length of what is kept of it; then all that
// A unit of zeros keeps nothing; one that keeps its own length is not compressed.

namespace missive::zar {

namespace {

constexpr std::string_view kMagic = "MSVTRN\r\n";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHead = 24;
constexpr std::uint32_t kLargest = 64 << 20;  // larger units are kept as they are
constexpr std::size_t kBatch = 64;            // units compressed before they are written

std::vector<Piece> places(const Recipe& recipe) {
  std::vector<Piece> result;
  result.reserve(recipe.leaves.size());
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < recipe.leaves.size(); ++i) {
    const Recipe::Cut cut =
        recipe.cuts.empty() ? Recipe::Cut{0, recipe.shape.block_size} : recipe.cuts[i];
    at += cut.gap;
    result.push_back({at, cut.length});
    at += cut.length;
  }
  return result;
}

[[noreturn]] void damaged(const std::string& where, const std::string& what) {
  throw InputError(where + ": " + what + "; the file is damaged: fetch it again");
}

}  // namespace

const std::vector<const CodecChoice*>& codecs() {
  static const std::vector<const CodecChoice*> all = {&kCodecZstd, &kCodecLz4, &kCodecOff};
  return all;
}

TransportReport pack(const Image& image, const CodecChoice& codec, int level, unsigned threads,
                     const std::filesystem::path& output) {
  const Recipe recipe = make_recipe(image, threads);
  const auto wire = recipe.serialize();
  const auto units = places(recipe);
  TransportReport report;
  report.name = recipe.name();
  report.units = units.size();
  OutputFile out(output, 0644);
  FieldWriter head;
  head.put_text(kMagic).put<std::uint32_t>(kVersion).put<std::uint8_t>(codec.id);
  head.put<std::uint8_t>(0).put<std::uint16_t>(0).put<std::uint64_t>(wire.size()).put_bytes(wire);
  out.write_at(head.bytes(), 0);
  const std::uint64_t table = head.size();
  std::uint64_t at = table + units.size() * sizeof(std::uint32_t);
  FieldWriter lengths;
  std::vector<std::vector<std::byte>> kept(kBatch);
  for (std::size_t first = 0; first < units.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, units.size() - first);
    std::array<bool, kBatch> zero{};
    in_parallel(threads, count, [&](std::size_t i) {
      const auto data = image.data().subspan(units[first + i].offset, units[first + i].length);
      zero[i] = all_zero(data);
      kept[i].clear();
      if (!zero[i] && data.size() <= kLargest) kept[i] = codec.compress(data, level);
    });
    for (std::size_t i = 0; i < count; ++i) {
      const auto data = image.data().subspan(units[first + i].offset, units[first + i].length);
      const std::span<const std::byte> part = zero[i]           ? std::span<const std::byte>()
                                              : kept[i].empty() ? data
                                                                : std::span(kept[i]);
      report.zero_units += zero[i];
      report.raw_units += !zero[i] && kept[i].empty();
      lengths.put<std::uint32_t>(static_cast<std::uint32_t>(part.size()));
      out.write_at(part, at);
      at += part.size();
    }
  }
  out.write_at(lengths.bytes(), table);
  out.set_length(at);
  out.commit();
  report.length = at;
  return report;
}

TransportReport unpack(std::span<const std::byte> data, const std::string& where, unsigned threads,
                       const std::filesystem::path& output) {
  FieldReader p(data, where);
  if (!equal_text(p.take(kMagic.size()), kMagic) || p.get<std::uint32_t>() != kVersion)
    throw InputError(where + ": not a transport form of version 1; make one with zar pack");
  const auto id = p.get<std::uint8_t>();
  const CodecChoice* codec = nullptr;
  for (const CodecChoice* c : codecs())
    if (c->id == id) codec = c;
  if (codec == nullptr)
    throw InputError(where + ": compression " + std::to_string(id) + " is unknown");
  if (p.get<std::uint8_t>() != 0 || p.get<std::uint16_t>() != 0)
    damaged(where, "reserved field is not zero");
  const auto wire = p.get<std::uint64_t>();
  if (wire > p.left()) damaged(where, "recipe beyond the end");
  const Recipe recipe = Recipe::parse(p.take(wire), where);
  const auto units = places(recipe);
  std::vector<std::uint64_t> from(units.size() + 1);
  const auto table = p.take(units.size() * sizeof(std::uint32_t));
  from[0] = p.at();
  for (std::size_t i = 0; i < units.size(); ++i) {
    const auto length = load_le<std::uint32_t>(table, i * sizeof(std::uint32_t));
    if (length > units[i].length) damaged(where, "unit that grew");
    from[i + 1] = from[i] + length;
  }
  if (from.back() != data.size()) damaged(where, "units do not end with the file");

  TransportReport report;
  report.name = recipe.name();
  report.units = units.size();
  report.length = recipe.shape.length;
  OutputFile out(output, 0644);
  out.set_length(recipe.shape.length);
  std::atomic<std::uint64_t> zero{0}, raw{0};
  in_parallel(threads, units.size(), [&](std::size_t i) {
    thread_local std::vector<std::byte> buffer;
    const auto part = data.subspan(from[i], from[i + 1] - from[i]);
    const std::size_t length = units[i].length;
    std::span<const std::byte> unit = part;
    if (part.size() != length) {
      if (length > kLargest && !part.empty()) damaged(where, "unit too large to be compressed");
      zero += part.empty();
      buffer.assign(length, std::byte{0});
      if (!part.empty() && !codec->decompress(part, buffer))
        damaged(where, "unit " + std::to_string(i) + " cannot be decompressed");
      unit = buffer;
    } else {
      ++raw;
    }
    if (sha256(unit) != recipe.leaves[i])
      damaged(where, "unit " + std::to_string(i) + " is not what the recipe says");
    if (!all_zero(unit)) out.write_at(unit, units[i].offset);
  });
  report.zero_units = zero;
  report.raw_units = raw;
  // Where units are not blocks, the recipe's cuts have to be those that the image itself gives.
  const Mapping mapping = Mapping::read_only(out.fd(), recipe.shape.length, where);
  if (make_recipe(Image::open(mapping.bytes(), where), threads).name() != report.name)
    damaged(where, "recipe that is not the image's own");
  out.commit();
  return report;
}

}  // namespace missive::zar
