#include "real/gzip.h"

#include <array>
#include <memory>
#include <span>

#include <zlib.h>

#include "models/error.h"
#include "real/zar/output_file.h"

namespace missive {

std::string read_gzip(const std::filesystem::path& file, std::size_t most, const std::string& what,
                      const std::string& advice) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> gz(::gzopen(file.c_str(), "rbe"), ::gzclose_r);
  if (gz == nullptr) throw InputError(file.string() + ": cannot be opened; " + advice);
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const int n = ::gzread(gz.get(), buffer.data(), buffer.size());
    if (n < 0) {
      int code = 0;
      const std::string why = ::gzerror(gz.get(), &code);
      throw InputError(file.string() + ": not a whole gzip file (" + why + ")");
    }
    if (n == 0) break;
    if (text.size() + static_cast<std::size_t>(n) > most) {
      throw InputError(file.string() + ": more than " + std::to_string(most >> 20) +
                       " MiB of text; not a " + what);
    }
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  // zlib reads text that is not compressed as it is, and reports a stream that was cut off only at
  // close: both are refused here.
  if (::gzdirect(gz.get()) != 0 && !text.empty()) {
    throw InputError(file.string() + ": not gzip-compressed");
  }
  int code = Z_OK;
  ::gzerror(gz.get(), &code);
  if (code == Z_BUF_ERROR) throw InputError(file.string() + ": cut off in the middle");
  return text;
}

namespace {

struct Deflater {
  z_stream stream{};
  Deflater() {
    // 16 + 15 window bits: a gzip header, without name and time (zlib.h, deflateInit2).
    if (::deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw RunError("zlib: no memory to compress with");
  }
  ~Deflater() { ::deflateEnd(&stream); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
};

}  // namespace

void write_gzip(const std::filesystem::path& file, const std::string& text) {
  zar::OutputFile out(file, 0644);
  Deflater d;
  std::array<Bytef, 65536> buffer;
  std::size_t taken = 0;
  int result = Z_OK;
  while (result != Z_STREAM_END) {
    constexpr std::size_t kStep = std::size_t{1} << 30;  // avail_in is 32 bits wide
    const std::size_t step = std::min(kStep, text.size() - taken);
    // zlib does not write to its input (its interface predates const).
    d.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data() + taken));
    d.stream.avail_in = static_cast<uInt>(step);
    taken += step;
    const int flush = taken == text.size() ? Z_FINISH : Z_NO_FLUSH;
    do {
      d.stream.next_out = buffer.data();
      d.stream.avail_out = buffer.size();
      result = ::deflate(&d.stream, flush);
      if (result == Z_STREAM_ERROR) throw RunError(file.string() + ": zlib refused to compress");
      out.write(std::as_bytes(std::span(buffer)).first(buffer.size() - d.stream.avail_out));
    } while (d.stream.avail_out == 0 && result != Z_STREAM_END);
  }
  out.commit();
}

}  // namespace missive
