// Archives of strangers: whatever is in them, nothing is written outside the tree, and the tree
// that comes out can be packed or is refused. Input: 1 byte kind of source (0: found out by
// content), the file.

#include "real/zar/import/import.h"

#include <archive.h>
#include <archive_entry.h>

#include "real/fuzz/fuzz_target.h"
#include "real/zar/test_tree.h"
#include "real/zar/wire.h"

namespace missive::fuzz {

namespace {

namespace fs = std::filesystem;

void run(std::span<const std::byte> input) {
  if (input.empty()) return;
  static const zar::TemporaryDirectory dir;
  const fs::path source = dir.path() / "source";
  {
    std::ofstream out(source, std::ios::binary);
    out.write(reinterpret_cast<const char*>(input.data()) + 1,
              static_cast<std::streamsize>(input.size() - 1));
  }
  const auto& kinds = zar::import_kinds();
  const std::size_t chosen = std::to_integer<unsigned>(input[0]) % (kinds.size() + 1);
  {
    const zar::ScratchTree tree(dir.path() / "tree"), scratch(dir.path() / "scratch");
    accepts([&] {
      zar::TreeWriter writer(tree.path());
      zar::import_kind(source, chosen == 0 ? "" : kinds[chosen - 1]->name)
          .unpack(source, writer, scratch.path());
      writer.finish();
    });
  }
  fs::remove(source);
  require(fs::is_empty(dir.path()), "all that was written lies in the tree");
}

// A tar or ar of a file, a link, a hard link and a directory.
Bytes archive_of(bool ar, const std::vector<std::pair<std::string, std::string>>& files) {
  std::array<std::byte, 65'536> buffer{};
  std::size_t used = 0;
  ::archive* const a = ::archive_write_new();
  ar ? ::archive_write_set_format_ar_svr4(a) : ::archive_write_set_format_ustar(a);
  ::archive_write_set_bytes_in_last_block(a, 1);
  ::archive_write_open_memory(a, buffer.data(), buffer.size(), &used);
  for (const auto& [name, content] : files) {
    ::archive_entry* const e = ::archive_entry_new();
    ::archive_entry_set_pathname(e, name.c_str());
    ::archive_entry_set_perm(e, 0644);
    ::archive_entry_set_mtime(e, 1, 0);
    ::archive_entry_set_filetype(e, name.ends_with('/') ? AE_IFDIR : AE_IFREG);
    if (content.starts_with("->")) {
      ::archive_entry_set_filetype(e, AE_IFLNK);
      ::archive_entry_set_symlink(e, content.c_str() + 2);
    } else if (content.starts_with("=>")) {
      ::archive_entry_set_hardlink(e, content.c_str() + 2);
    } else {
      ::archive_entry_set_size(e, static_cast<la_int64_t>(content.size()));
    }
    ::archive_write_header(a, e);
    if (!content.starts_with("->") && !content.starts_with("=>"))
      ::archive_write_data(a, content.data(), content.size());
    ::archive_entry_free(e);
  }
  ::archive_write_close(a);
  ::archive_write_free(a);
  return {buffer.begin(), buffer.begin() + static_cast<long>(used)};
}

std::string text_of(const Bytes& bytes) { return zar::as_text(bytes); }

Bytes kind_and(unsigned kind, const Bytes& file) {
  return zar::FieldWriter()
      .put<std::uint8_t>(static_cast<std::uint8_t>(kind))
      .put_bytes(file)
      .take();
}

std::string blob(const std::string& content) {
  return zar::to_hex(zar::sha256(std::as_bytes(std::span(content))));
}

// A layout with one layer, as a tar.
Bytes oci(const std::string& layer) {
  const auto reference = [](const std::string& content) {
    return "{\"digest\":\"sha256:" + blob(content) +
           "\",\"size\":" + std::to_string(content.size()) + "}";
  };
  const std::string manifest = "{\"layers\":[" + reference(layer) + "]}";
  const std::string index = "{\"manifests\":[" + reference(manifest) + "]}";
  return archive_of(false, {{"oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}"},
                            {"index.json", index},
                            {"blobs/sha256/" + blob(manifest), manifest},
                            {"blobs/sha256/" + blob(layer), layer}});
}

std::vector<Bytes> seeds() {
  const Bytes tar = archive_of(
      false,
      {{"usr/", ""}, {"usr/a", "alpha"}, {"usr/b", "=>usr/a"}, {"bin", "->usr"}, {"bin/c", "x"}});
  const Bytes layer =
      archive_of(false, {{"usr/.wh.a", ""}, {"usr/.wh..wh..opq", ""}, {"etc/b", "b"}});
  const Bytes out = archive_of(
      false, {{"../escape", "x"}, {"/etc/abs", "y"}, {"l", "->../.."}, {"l/escape", "z"}});
  const Bytes deb =
      archive_of(true, {{"debian-binary", "2.0\n"},
                        {"control.tar", text_of(archive_of(false, {{"control", "P"}}))},
                        {"data.tar", text_of(tar)}});
  std::vector<Bytes> all;
  for (const Bytes& file : {tar, layer, out, deb, oci(text_of(tar)), oci(text_of(layer))})
    all.push_back(kind_and(0, file));
  for (unsigned kind = 1; kind <= zar::import_kinds().size(); ++kind)
    all.push_back(kind_and(kind, tar));
  all.push_back(kind_and(0, bytes_of(std::string("\0asm\1\0\0\0", 8))));
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 400};

}  // namespace missive::fuzz
