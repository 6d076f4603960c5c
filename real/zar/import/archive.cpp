#include "real/zar/import/archive.h"

#include <algorithm>
#include <cstring>

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include "models/error.h"
#include "real/zar/digest.h"
#include "real/zar/output_file.h"

namespace missive::zar {

namespace {

constexpr std::size_t kReadSize = 1 << 18;

struct FreeArchive {
  void operator()(archive* a) const noexcept { ::archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, FreeArchive>;

Reader new_reader() {
  Reader a(::archive_read_new());
  if (!a) throw RunError("libarchive: out of memory");
  // Compressions inside the process only: libarchive would run programs for others.
  ::archive_read_support_filter_gzip(a.get());
  ::archive_read_support_filter_xz(a.get());
  ::archive_read_support_filter_zstd(a.get());
  ::archive_read_support_filter_bzip2(a.get());
  ::archive_read_support_filter_lz4(a.get());
  return a;
}

[[noreturn]] void refuse(const std::string& where, archive* a) {
  const char* const why = ::archive_error_string(a);
  throw InputError(where + ": " + (why == nullptr ? "damaged" : why) +
                   "; not a whole archive of the kind it should be");
}

// Next entry, or nullptr at the end.
archive_entry* next(archive* a, const std::string& where) {
  archive_entry* entry = nullptr;
  const int r = ::archive_read_next_header(a, &entry);
  if (r == ARCHIVE_EOF) return nullptr;
  // A warning is about character sets, and names are bytes here.
  if (r != ARCHIVE_OK && r != ARCHIVE_WARN) refuse(where, a);
  return entry;
}

bool is_all_zero(const std::filesystem::path& file) {
  const Reader a = new_reader();
  ::archive_read_support_format_raw(a.get());
  if (::archive_read_open_filename(a.get(), file.c_str(), kReadSize) != ARCHIVE_OK) return false;
  archive_entry* entry = nullptr;
  if (::archive_read_next_header(a.get(), &entry) != ARCHIVE_OK) return false;
  std::vector<std::byte> buffer(kReadSize);
  std::uint64_t total = 0;
  for (;;) {
    const la_ssize_t n = ::archive_read_data(a.get(), buffer.data(), buffer.size());
    if (n < 0) return false;
    if (n == 0) return total >= 1024;  // two blocks of zeros end a tar
    if (!all_zero(std::span(buffer).first(static_cast<std::size_t>(n)))) return false;
    total += static_cast<std::uint64_t>(n);
  }
}

std::string name_of(archive_entry* entry, const std::string& where) {
  const char* const name = ::archive_entry_pathname(entry);
  if (name == nullptr) throw InputError(where + ": an entry without a name: refused");
  return name;
}

timespec time_of(archive_entry* entry) {
  timespec t{};
  t.tv_sec = ::archive_entry_mtime(entry);
  t.tv_nsec = ::archive_entry_mtime_nsec(entry);
  return t;
}

// Reads an archive that lies within another one.
la_ssize_t read_inner(archive*, void* outer, const void** buffer) {
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int r = ::archive_read_data_block(static_cast<archive*>(outer), buffer, &size, &offset);
  if (r == ARCHIVE_EOF) return 0;
  return r == ARCHIVE_OK || r == ARCHIVE_WARN ? static_cast<la_ssize_t>(size) : -1;
}

}  // namespace

void for_each_entry(const std::filesystem::path& tar, const OnEntry& on_entry) {
  const Reader a = new_reader();
  ::archive_read_support_format_tar(a.get());
  if (::archive_read_open_filename(a.get(), tar.c_str(), kReadSize) != ARCHIVE_OK)
    refuse(tar.string(), a.get());
  bool any = false;
  while (archive_entry* entry = next(a.get(), tar.string())) {
    any = true;
    if (!on_entry(a.get(), entry)) return;
  }
  if (!any && !is_all_zero(tar))
    throw InputError(tar.string() +
                     ": not a tar archive; name a directory, a .deb, an OCI layout, "
                     "a docker-save tar, a WebAssembly module or a static program");
}

void write_content(archive* a, int fd, const std::string& what) {
  const void* buffer = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0, end = 0;
  for (;;) {
    const int r = ::archive_read_data_block(a, &buffer, &size, &offset);
    if (r == ARCHIVE_EOF) break;
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN) refuse(what, a);
    if (::lseek(fd, offset, SEEK_SET) < 0) throw_errno(what);
    write_all(fd, {static_cast<const std::byte*>(buffer), size}, what);
    end = std::max(end, offset + static_cast<la_int64_t>(size));
  }
  if (offset > end && ::ftruncate(fd, offset) != 0) throw_errno(what);
}

void unpack_entry(archive* a, archive_entry* entry, TreeWriter& tree, Unpacked& done,
                  const std::string& where) {
  const std::string name = name_of(entry, where);
  const timespec mtime = time_of(entry);
  const mode_t mode = ::archive_entry_perm(entry);
  ++done.entries;
  if (const char* target = ::archive_entry_hardlink(entry); target != nullptr) {
    tree.hard_link(name, target, where);
    return;
  }
  switch (::archive_entry_filetype(entry)) {
    case AE_IFDIR:
      tree.directory(name, mode, mtime, where);
      break;
    case AE_IFREG:
      tree.file(name, mode, mtime, where, [&](int fd) {
        const std::string what = where + ": " + name;
        write_content(a, fd, what);
        if (::archive_entry_size_is_set(entry) && ::ftruncate(fd, ::archive_entry_size(entry)) != 0)
          throw_errno(what);
      });
      break;
    case AE_IFLNK: {
      const char* const target = ::archive_entry_symlink(entry);
      tree.symlink(name, target == nullptr ? "" : target, mtime, where);
      break;
    }
    default:
      ++done.left_out;  // devices, fifos, sockets: an image has none
  }
}

Unpacked unpack_tar(const std::filesystem::path& tar, TreeWriter& tree) {
  Unpacked done;
  for_each_entry(tar, [&](archive* a, archive_entry* entry) {
    unpack_entry(a, entry, tree, done, tar.string());
    return true;
  });
  return done;
}

void for_each_deb_entry(const std::filesystem::path& deb, const OnEntry& on_entry) {
  const Reader outer = new_reader();
  ::archive_read_support_format_ar(outer.get());
  if (::archive_read_open_filename(outer.get(), deb.c_str(), kReadSize) != ARCHIVE_OK)
    refuse(deb.string(), outer.get());
  const std::string where = deb.string();
  bool first = true;
  while (archive_entry* entry = next(outer.get(), where)) {
    const std::string name = name_of(entry, where);
    if (first && name != "debian-binary") break;
    first = false;
    if (!name.starts_with("data.tar")) continue;
    const Reader inner = new_reader();
    ::archive_read_support_format_tar(inner.get());
    if (::archive_read_open(inner.get(), outer.get(), nullptr, read_inner, nullptr) != ARCHIVE_OK)
      refuse(where + ": " + name, inner.get());
    while (archive_entry* e = next(inner.get(), where))
      if (!on_entry(inner.get(), e)) break;
    return;
  }
  throw InputError(where + ": not a Debian package: no debian-binary and data.tar in it (deb(5))");
}

Unpacked unpack_deb(const std::filesystem::path& deb, TreeWriter& tree) {
  Unpacked done;
  for_each_deb_entry(deb, [&](archive* a, archive_entry* entry) {
    unpack_entry(a, entry, tree, done, deb.string());
    return true;
  });
  return done;
}

Unpacked unpack_layer(const std::filesystem::path& tar, TreeWriter& tree) {
  constexpr std::string_view kWhiteout = ".wh.", kOpaque = ".wh..wh..opq";
  const std::string where = tar.string();
  const auto whiteout = [&](archive_entry* entry) {  // directory and what of it is to go
    const std::string name = normal_name(name_of(entry, where), where);
    const std::size_t slash = name.rfind('/');
    const std::string own = name.substr(slash == std::string::npos ? 0 : slash + 1);
    const std::string parent = slash == std::string::npos ? "" : name.substr(0, slash);
    return std::pair{parent, own.starts_with(kWhiteout) ? own : std::string()};
  };
  // First all whiteouts: they are about lower layers, wherever they stand in this one.
  for_each_entry(tar, [&](archive*, archive_entry* entry) {
    const auto [parent, own] = whiteout(entry);
    if (own == kOpaque) {
      tree.clear(parent, where);
    } else if (!own.empty()) {
      const std::string gone = own.substr(kWhiteout.size());
      if (gone.empty() || gone == "." || gone == "..")
        throw InputError(where + ": a whiteout of nothing: refused");
      tree.remove(parent + "/" + gone, where);
    }
    return true;
  });
  Unpacked done;
  for_each_entry(tar, [&](archive* a, archive_entry* entry) {
    if (whiteout(entry).second.empty()) unpack_entry(a, entry, tree, done, where);
    return true;
  });
  return done;
}

}  // namespace missive::zar
