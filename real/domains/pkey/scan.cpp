#include "real/domains/pkey/scan.h"

#include <fmt/format.h>

#include "models/error.h"
#include "real/domains/pie/elf.h"

namespace missive::domains::pkey {

namespace {

// Intel SDM 2; the three bytes from `at` on, prefixes apart. Empty when it is none of them.
const char* escape_at(std::span<const std::byte> at) {
  const auto byte = [at](std::size_t i) { return std::to_integer<unsigned>(at[i]); };
  if (byte(0) != 0x0f) return "";
  const unsigned digit = byte(2) >> 3 & 7, mode = byte(2) >> 6;
  if (byte(1) == 0x01 && byte(2) == 0xef) return "WRPKRU";
  if (byte(1) == 0xae && digit == 5 && mode != 3) return "XRSTOR";
  if (byte(1) == 0xc7 && digit == 3 && mode != 3) return "XRSTORS";
  if (byte(1) == 0xae && digit == 3 && mode == 3) return "WRGSBASE";
  return "";
}

}  // namespace

void refuse_escapes(std::span<const std::byte> image, const std::string& name) {
  for (const pie::Segment& s : pie::read_elf(image, name).segments) {
    if (!s.execute) continue;
    const auto code = image.subspan(s.offset, s.file);
    for (std::size_t i = 0; i + 3 <= code.size(); ++i)
      if (const std::string what = escape_at(code.subspan(i, 3)); !what.empty())
        throw InputError(fmt::format(
            "{}: the program holds the bytes of {} at address {:#x}, with which it could "
            "give itself the host's memory; build it without",
            name, what, s.address + i));
  }
}

}  // namespace missive::domains::pkey
