#include "real/verify/keychain.h"

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/verify/hkdf.h"
#include "real/zar/output_file.h"
#include "real/zar/wire.h"

namespace missive::verify {

namespace {

constexpr std::string_view kSalt = "missive-sim/keychain/1";

struct FreeKdf {
  void operator()(EVP_KDF_CTX* c) const noexcept { EVP_KDF_CTX_free(c); }
};

OSSL_PARAM octets(const char* name, std::span<const std::byte> bytes) {
  // OSSL_PARAM has no const form; EVP_KDF_derive only reads these (EVP_KDF-HKDF(7)). It refuses a
  // null pointer even where nothing is to be read.
  static std::byte nothing{};
  return OSSL_PARAM_construct_octet_string(
      name, bytes.empty() ? &nothing : const_cast<std::byte*>(bytes.data()), bytes.size());
}

// KDF(key, label, data): the salt names this program and version of the chain, the info field is
// label, zero byte, data. Labels have no zero byte, so (label, data) reads in one way only.
std::array<std::byte, 32> derive(std::span<const std::byte> key, std::string_view label,
                                 std::span<const std::byte> data) {
  zar::FieldWriter info;
  info.put_text(label).put<std::uint8_t>(0).put_bytes(data);
  std::array<std::byte, 32> out;
  hkdf_sha256(key, std::as_bytes(std::span(kSalt)), info.bytes(), out);
  return out;
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw InputError(file.string() + ": " + what +
                   "; a master key is a file of 32 bytes that only its owner may read: repair it, "
                   "or remove it to get a new one (stored tags become void)");
}

MasterKey read_key(const std::filesystem::path& file, int fd) {
  struct stat st;
  if (::fstat(fd, &st) != 0) throw_errno("cannot examine " + file.string());
  if (!S_ISREG(st.st_mode)) refuse(file, "not a regular file");
  if ((st.st_mode & 077) != 0) refuse(file, "others may read or write it");
  if (st.st_uid != ::geteuid()) refuse(file, "belongs to somebody else");
  if (st.st_size != 32) refuse(file, std::to_string(st.st_size) + " bytes");
  MasterKey key;
  if (::pread(fd, key.bytes.data(), 32, 0) != 32) refuse(file, "cannot be read");
  return key;
}

UniqueFd open_key(const std::filesystem::path& file) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno != ENOENT) refuse(file, std::strerror(errno));
  return fd;
}

}  // namespace

void hkdf_sha256(std::span<const std::byte> key, std::span<const std::byte> salt,
                 std::span<const std::byte> info, std::span<std::byte> out) {
  static EVP_KDF* const method = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  if (method == nullptr) throw RunError("OpenSSL offers no HKDF; check its configuration");
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(EVP_KDF_CTX_new(method));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, key), octets(OSSL_KDF_PARAM_SALT, salt),
      octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  if (!context || EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()),
                                 out.size(), parameters) != 1)
    throw RunError("OpenSSL failed to derive a key");
}

MasterKey load_or_create_master_key(const std::filesystem::path& file) {
  if (const UniqueFd fd = open_key(file)) return read_key(file, fd.get());
  MasterKey key;
  if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(key.bytes.data()), 32) != 1)
    throw RunError("OpenSSL has no random bytes for a master key");
  zar::OutputFile out(file, 0600);
  out.write(key.bytes);
  if (out.commit_new()) return key;
  // Somebody else made one in the meantime: theirs is complete, and it is the host's.
  const UniqueFd fd = open_key(file);
  if (!fd) refuse(file, "it vanished while being read");
  return read_key(file, fd.get());
}

ApplicationSecret application_secret(const MasterKey& master, const PublicKey& vendor) {
  return {derive(master.bytes, "application", vendor)};
}

MacKey mac_key(const ApplicationSecret& secret, const zar::Digest& image, std::uint64_t version) {
  zar::FieldWriter data;
  data.put_bytes(image.bytes).put<std::uint64_t>(version);
  return {derive(secret.bytes, "image-mac", data.bytes())};
}

MacKey block_mac_key(const ApplicationSecret& secret, std::span<const std::byte> context) {
  return {derive(secret.bytes, "block-mac", context)};
}

MacKey tag_list_key(const ApplicationSecret& secret, std::span<const std::byte> context) {
  return {derive(secret.bytes, "tag-list", context)};
}

}  // namespace missive::verify
