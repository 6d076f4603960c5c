#include "real/verify/version_store.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/zar/output_file.h"
#include "real/zar/wire.h"

namespace missive::verify {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "MSVVER\r\n";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMaxName = 128;  // of an application, as in a boot block
constexpr off_t kMaxFile = 64 << 20;   // some 300,000 applications

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw InputError(where + ": " + what +
                   "; this file keeps old versions from coming back: restore it, or remove it to "
                   "start with a memory that knows nothing");
}

fs::path directory_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

UniqueFd open_directory(const fs::path& file) {
  UniqueFd fd(::open(directory_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("version store " + file.string() + ": cannot open its directory");
  return fd;
}

void check(const std::optional<Seen>& seen, const Expected& e) {
  if (!seen || e.version > seen->version) return;
  const std::string what =
      "boot block of " + e.application + ": version " + std::to_string(e.version);
  if (e.version < seen->version)
    throw RunError(what + " is older than version " + std::to_string(seen->version) +
                   ", which this host has launched; get the current boot block");
  if (e.name != seen->image)
    throw RunError(what + " is image " + zar::to_hex(e.name) + ", but this host has launched " +
                   zar::to_hex(seen->image) +
                   " under that number; ask the vendor, who should never use one number twice");
}

std::optional<Seen> find(const VersionStore::Table& table, const PublicKey& vendor,
                         const std::string& application) {
  const auto found = table.find({vendor, application});
  if (found == table.end()) return std::nullopt;
  return found->second;
}

}  // namespace

VersionStore::VersionStore(fs::path file) : file_(std::move(file)) {}

std::vector<std::byte> VersionStore::encode(const Table& table) {
  zar::FieldWriter b;
  b.put_text(kMagic).put<std::uint32_t>(kVersion);
  b.put<std::uint32_t>(static_cast<std::uint32_t>(table.size()));
  for (const auto& [key, seen] : table) {
    b.put_bytes(key.first).put_bytes(seen.image.bytes).put<std::uint64_t>(seen.version);
    b.put<std::uint32_t>(static_cast<std::uint32_t>(key.second.size())).put_text(key.second);
  }
  const zar::Digest checksum = zar::sha256(b.bytes());
  return b.put_bytes(checksum.bytes).take();
}

VersionStore::Table VersionStore::decode(std::span<const std::byte> data,
                                         const std::string& where) {
  constexpr std::size_t kDigest = sizeof(zar::Digest);
  if (data.size() < kDigest) refuse(where, "truncated");
  const auto body = data.first(data.size() - kDigest);
  if (!std::ranges::equal(zar::sha256(body).bytes, data.last(kDigest)))
    refuse(where, "damaged: its checksum is not right");
  zar::FieldReader p(body, where);
  if (!zar::equal_text(p.take(kMagic.size()), kMagic) || p.get<std::uint32_t>() != kVersion)
    refuse(where, "not a version store of version 1");
  Table table;
  for (auto left = p.get<std::uint32_t>(); left > 0; --left) {
    std::pair<PublicKey, std::string> key;
    Seen seen;
    const auto vendor = p.take(key.first.size()), image = p.take(kDigest);
    std::ranges::copy(vendor, key.first.begin());
    std::ranges::copy(image, seen.image.bytes.begin());
    seen.version = p.get<std::uint64_t>();
    const auto length = p.get<std::uint32_t>();
    if (length == 0 || length > kMaxName) refuse(where, "name of an impossible length");
    const auto name = p.take(length);
    key.second.assign(reinterpret_cast<const char*>(name.data()), name.size());
    if (!table.empty() && !(table.rbegin()->first < key)) refuse(where, "records out of order");
    table.emplace_hint(table.end(), std::move(key), seen);
  }
  if (p.left() != 0) refuse(where, "bytes behind its end");
  return table;
}

VersionStore::Table VersionStore::read() const {
  const std::string where = "version store " + file_.string();
  const UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT) return {};
  if (!fd) refuse(where, std::strerror(errno));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno(where);
  if (!S_ISREG(st.st_mode)) refuse(where, "not a regular file");
  if ((st.st_mode & 077) != 0) refuse(where, "others may read or write it");
  if (st.st_uid != ::geteuid()) refuse(where, "belongs to somebody else");
  if (st.st_size > kMaxFile) refuse(where, std::to_string(st.st_size) + " bytes");
  std::vector<std::byte> data(static_cast<std::size_t>(st.st_size));
  if (::pread(fd.get(), data.data(), data.size(), 0) != st.st_size) refuse(where, "cannot be read");
  return decode(data, where);
}

void VersionStore::write(const Table& table) const {
  zar::OutputFile out(file_, 0600);
  out.write(encode(table));
  if (::fsync(out.fd()) != 0) throw_errno("cannot write " + file_.string());
  out.commit();
  if (::fsync(open_directory(file_).get()) != 0) throw_errno("cannot write " + file_.string());
}

std::optional<Seen> VersionStore::highest(const PublicKey& vendor,
                                          const std::string& application) const {
  return find(read(), vendor, application);
}

void VersionStore::admit(const PublicKey& vendor, const Expected& expected) const {
  check(highest(vendor, expected.application), expected);
}

void VersionStore::remember(const PublicKey& vendor, const Expected& expected) const {
  const Seen now{expected.version, expected.name};
  if (highest(vendor, expected.application) == now) return;  // every launch but the first
  const UniqueFd lock = open_directory(file_);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw_errno("version store " + file_.string() + ": cannot lock");
  Table table = read();  // another monitor may have been here
  check(find(table, vendor, expected.application), expected);
  table[{vendor, expected.application}] = now;
  write(table);
}

}  // namespace missive::verify
