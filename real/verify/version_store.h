#pragma once
// What keeps a host from going back: the highest version of each application that it has launched,
// by vendor's key and name, with the image it was. A boot block that a vendor once signed stays
// valid for ever, so whoever supplies boot blocks could supply an old one, with its own valid image
// and tag; its signature cannot tell, only a memory can.
//
// One file of the monitor's own, beside the master key and as closed to others, but not bound to
// it: a lost master key must not take this memory along. Form: docs/zarfile-format.md, "Version
// store". It is replaced in one step (write, fsync(2), rename(2), fsync of the directory), under a
// lock: after kill -9 or a power cut it is the old one or the new one, and never lower than what
// remember() returned from. Several monitors may use one file.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "real/verify/keychain.h"
#include "real/verify/verifier.h"

namespace missive::verify {

struct Seen {
  std::uint64_t version = 0;
  zar::Digest image;  // its name, which fixes length and shape, too
  bool operator==(const Seen&) const = default;
};

class VersionStore {
 public:
  using Table = std::map<std::pair<PublicKey, std::string>, Seen>;

  // A file that is not there is an empty store; its directory must be there.
  explicit VersionStore(std::filesystem::path file);

  std::optional<Seen> highest(const PublicKey& vendor, const std::string& application) const;
  // Call it once the boot block's signature was checked, before anything else. Throws RunError: an
  // older version than one that was launched, or the same version with another image. All calls
  // throw InputError when the file is damaged, or when others may write or read it.
  void admit(const PublicKey& vendor, const Expected& expected) const;
  // Call it once the image was verified, before it is started: a version whose image never arrives
  // must not lock out the one before. Returns when the disk has it; writes nothing when it is known
  // already. Throws as admit(), which it repeats under the lock, and RunError when it cannot write.
  void remember(const PublicKey& vendor, const Expected& expected) const;

  static std::vector<std::byte> encode(const Table& table);
  // Throws InputError that begins with `where`.
  static Table decode(std::span<const std::byte> data, const std::string& where);

 private:
  Table read() const;
  void write(const Table& table) const;

  std::filesystem::path file_;
};

}  // namespace missive::verify
