// Codec "zstd" (RFC 8878): one frame for each unit.

#include <zstd.h>

#include "models/error.h"
#include "real/zar/transport.h"

namespace missive::zar {

namespace {

struct Free {
  void operator()(ZSTD_CCtx* c) const noexcept { ::ZSTD_freeCCtx(c); }
  void operator()(ZSTD_DCtx* d) const noexcept { ::ZSTD_freeDCtx(d); }
};

std::vector<std::byte> compress(std::span<const std::byte> data, int level) {
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(::ZSTD_createCCtx());
  if (!context) throw RunError("zstd: out of memory");
  std::vector<std::byte> to(::ZSTD_compressBound(data.size()));
  const std::size_t n = ::ZSTD_compressCCtx(context.get(), to.data(), to.size(), data.data(),
                                            data.size(), level == 0 ? ZSTD_CLEVEL_DEFAULT : level);
  if (::ZSTD_isError(n) != 0) throw RunError(std::string("zstd: ") + ::ZSTD_getErrorName(n));
  to.resize(n < data.size() ? n : 0);
  return to;
}

bool decompress(std::span<const std::byte> data, std::span<std::byte> to) {
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(::ZSTD_createDCtx());
  if (!context) throw RunError("zstd: out of memory");
  return ::ZSTD_decompressDCtx(context.get(), to.data(), to.size(), data.data(), data.size()) ==
         to.size();
}

}  // namespace

const CodecChoice kCodecZstd = {1, "zstd", "zstd, level 3 by default", compress, decompress};

}  // namespace missive::zar
