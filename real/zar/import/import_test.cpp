// Archives of strangers: what they may do to the tree they are unpacked into, and what not.

#include "real/zar/import/import.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "real/zar/digest.h"
#include "real/zar/import/archive.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Member {
  std::string name, content;
  int type = AE_IFREG;
  std::string link = "";  // target: of a symbolic link, or with AE_IFREG of a hard link
  unsigned mode = 0644;
};

void write_archive(const fs::path& file, const std::vector<Member>& members, bool gzip = false,
                   bool ar = false) {
  archive* const a = ::archive_write_new();
  if (gzip) ::archive_write_add_filter_gzip(a);
  if (ar)
    ::archive_write_set_format_ar_svr4(a);
  else
    ::archive_write_set_format_pax_restricted(a);
  ASSERT_EQ(::archive_write_open_filename(a, file.c_str()), ARCHIVE_OK);
  for (const Member& m : members) {
    archive_entry* const e = ::archive_entry_new();
    ::archive_entry_set_pathname(e, m.name.c_str());
    ::archive_entry_set_filetype(e, static_cast<unsigned>(m.type));
    ::archive_entry_set_perm(e, static_cast<mode_t>(m.mode));
    ::archive_entry_set_mtime(e, 1'700'000'000, 0);
    ::archive_entry_set_size(e, static_cast<la_int64_t>(m.content.size()));
    if (m.type == AE_IFLNK) ::archive_entry_set_symlink(e, m.link.c_str());
    if (m.type == AE_IFREG && !m.link.empty()) ::archive_entry_set_hardlink(e, m.link.c_str());
    ASSERT_EQ(::archive_write_header(a, e), ARCHIVE_OK) << ::archive_error_string(a);
    if (!m.content.empty()) ::archive_write_data(a, m.content.data(), m.content.size());
    ::archive_entry_free(e);
  }
  ::archive_write_close(a);
  ::archive_write_free(a);
}

std::string text_of(const fs::path& file) { return as_text(read_file(file)); }

class ImportTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(tree());
    fs::create_directory(scratch());
    fs::create_directory(dir_.path() / "outside");
    put(dir_.path(), "/outside/victim", "safe");
  }
  // What was outside the tree is as it was.
  void TearDown() override {
    EXPECT_EQ(text_of(dir_.path() / "outside/victim"), "safe");
    EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path() / "outside"), {}), 1);
  }
  fs::path tree() const { return dir_.path() / "tree"; }
  fs::path scratch() const { return dir_.path() / "scratch"; }
  fs::path tar(const std::vector<Member>& members, bool gzip = false) const {
    write_archive(dir_.path() / "a.tar", members, gzip);
    return dir_.path() / "a.tar";
  }
  ImportResult import(const fs::path& source, const std::string& kind = "") const {
    TreeWriter writer(tree());
    const ImportResult result = import_kind(source, kind).unpack(source, writer, scratch());
    writer.finish();
    return result;
  }
  void refused(const fs::path& source, const char* why, const std::string& kind = "") const {
    try {
      import(source, kind);
      FAIL() << "accepted: " << why;
    } catch (const InputError& e) {
      EXPECT_THAT(e.what(), HasSubstr(why));
    }
  }

  TemporaryDirectory dir_;
};

TEST_F(ImportTest, ATarBecomesATree) {
  const auto done = import(tar({{"./", "", AE_IFDIR, "", 0755},
                                {"./usr/bin/", "", AE_IFDIR, "", 0555},
                                {"./usr/bin/x", "program", AE_IFREG, "", 04755},
                                {"./usr/bin/y", "", AE_IFREG, "./usr/bin/x"},
                                {"./etc/link", "", AE_IFLNK, "../usr/bin/x"},
                                {"./dev/null", "", AE_IFCHR}},
                               true));
  EXPECT_EQ(done.entries, 6u);
  EXPECT_EQ(done.left_out, 1u);
  EXPECT_EQ(text_of(tree() / "usr/bin/x"), "program");
  EXPECT_EQ(fs::hard_link_count(tree() / "usr/bin/y"), 2u);
  EXPECT_EQ(fs::read_symlink(tree() / "etc/link"), "../usr/bin/x");
  EXPECT_EQ(fs::status(tree() / "usr/bin/x").permissions(), fs::perms{0755});
  EXPECT_EQ(fs::status(tree() / "usr/bin").permissions(), fs::perms{0555});
  EXPECT_FALSE(fs::exists(tree() / "dev/null"));
  struct stat st {};
  ASSERT_EQ(::stat((tree() / "usr/bin").c_str(), &st), 0);
  EXPECT_EQ(st.st_mtim.tv_sec, 1'700'000'000);
  fs::permissions(tree() / "usr/bin", fs::perms{0755});
}

TEST_F(ImportTest, NamesThatLeadOutAreRefused) {
  refused(tar({{"../outside/victim", "evil"}}), "\"..\"");
  refused(tar({{"usr/../../outside/victim", "evil"}}), "\"..\"");
  refused(tar({{"x", "", AE_IFREG, "../outside/victim"}}), "\"..\"");
}

TEST_F(ImportTest, AbsoluteNamesAreWithinTheTree) {
  import(tar({{ "/etc/absolute", "here" }}));
  EXPECT_EQ(text_of(tree() / "etc/absolute"), "here");
}

TEST_F(ImportTest, LinksAreNoWayOut) {
  const std::string outside = (dir_.path() / "outside").string();
  // An absolute link means a path in the tree, where there is none; ".." ends at the top.
  for (const std::string& target : {outside, std::string("../outside"), std::string("/")}) {
    SCOPED_TRACE(target);
    try {
      import(tar({{"way", "", AE_IFLNK, target}, { "way/victim", "evil" }}));
    } catch (const InputError&) {
    }
  }
  import(tar({{"in/place", "", AE_IFLNK, outside + "/victim"}, { "in/place", "mine" }}));
  EXPECT_EQ(text_of(tree() / "in/place"), "mine");
  EXPECT_FALSE(fs::is_symlink(tree() / "in/place"));
  refused(tar({{"in/soft", "", AE_IFLNK, outside + "/victim"}, {"hard", "", AE_IFREG, "in/soft"}}),
          "no file of it");
  refused(tar({{"hard", "", AE_IFREG, "none"}}), "no file of it");
}

TEST_F(ImportTest, LaterEntriesReplaceEarlierOnes) {
  import(tar({{"x", "one"},
              {"x", "two"},
              {"d/inside", "gone"},
              {"d", "now a file"},
              {"f", "file"},
              {"f/", "", AE_IFDIR, "", 0755},
              { "f/inside",
                "kept" }}));
  EXPECT_EQ(text_of(tree() / "x"), "two");
  EXPECT_EQ(text_of(tree() / "d"), "now a file");
  EXPECT_EQ(text_of(tree() / "f/inside"), "kept");
  refused(tar({{"p", "a file"}, {"p/below", "x"}}), "parent is no directory");
}

TEST_F(ImportTest, WhatIsNoTarIsRefused) {
  put(dir_.path(), "/noise", noise(10'000, 1));
  refused(dir_.path() / "noise", "of no known kind");
  // What libarchive alone takes for an empty tar: an EROFS image begins with 1 KiB of zeros.
  put(dir_.path(), "/erofs", std::string(1024, '\0') + "\xe2\xe1\xf5\xe0" + std::string(3068, 'x'));
  refused(dir_.path() / "erofs", "not a tar", "tar");
  refused(dir_.path() / "none", "no such file");
  put(dir_.path(), "/empty.tar", std::string(10240, '\0'));
  EXPECT_EQ(import(dir_.path() / "empty.tar", "tar").entries, 0u);
  const auto whole = read_file(tar({{"x", noise(9000, 2)}}));
  for (const std::size_t size : {513u, 1024u, 5000u}) {
    put(dir_.path(), "/cut", as_text(std::span(whole).first(size)));
    EXPECT_THROW(import(dir_.path() / "cut"), InputError) << size;
  }
}

TEST_F(ImportTest, ADebianPackageIsItsData) {
  const std::string data = text_of(tar({{"./", "", AE_IFDIR, "", 0755},
                                        {"./lib/", "", AE_IFDIR, "", 0755},
                                        {"./lib/x.so", "library"}},
                                       true));
  fs::create_directory(tree() / "usr");
  fs::create_directory(tree() / "usr/lib");
  fs::create_directory_symlink("usr/lib", tree() / "lib");
  const fs::path deb = dir_.path() / "x.deb";
  write_archive(deb, {{"debian-binary", "2.0\n"}, {"control.tar.gz", "?"}, {"data.tar.gz", data}},
                false, true);
  EXPECT_EQ(import(deb).entries, 3u);
  EXPECT_TRUE(fs::is_symlink(tree() / "lib"));  // merged /usr stays merged
  EXPECT_EQ(text_of(tree() / "usr/lib/x.so"), "library");
  write_archive(deb, {{"debian-binary", "2.0\n"}, {"control.tar.gz", "?"}}, false, true);
  refused(deb, "not a Debian package");
  write_archive(deb, {{"other", "2.0\n"}, {"data.tar.gz", data}}, false, true);
  refused(deb, "not a Debian package", "deb");
  write_archive(deb, {{"debian-binary", "2.0\n"}, {"data.tar.gz", data.substr(0, 100)}}, false,
                true);
  refused(deb, "x.deb");
}

class OciTest : public ImportTest {
 protected:
  std::string blob(const std::string& content) const {
    const std::string hex = to_hex(sha256(std::as_bytes(std::span(content))));
    put(layout(), "/blobs/sha256/" + hex, content);
    return "sha256:" + hex;
  }
  std::string layer(const std::vector<Member>& members, bool gzip) const {
    return blob(text_of(tar(members, gzip)));
  }
  fs::path layout() const { return dir_.path() / "layout"; }
  void manifest(const std::vector<std::string>& layers) const {
    std::string text = R"({"schemaVersion": 2, "layers": [)";
    for (std::size_t i = 0; i < layers.size(); ++i)
      text += std::string(i == 0 ? "" : ", ") + R"({"digest": ")" + layers[i] + "\"}";
    put(layout(), "/oci-layout", R"({"imageLayoutVersion": "1.0.0"})");
    put(layout(), "/index.json", R"({"manifests": [{"digest": ")" + blob(text + "]}") + "\"}]}");
  }
  std::string base() const {
    return layer({{"etc/keep", "1"},
                  {"etc/gone", "2"},
                  {"var/old/x", "3"},
                  {"opt/d/a", "4"},
                  {"lib", "", AE_IFLNK, "opt"}},
                 true);
  }
};

TEST_F(OciTest, LayersLieOverEachOtherAndWhiteoutsTakeAway) {
  manifest({base(), layer({{"etc/.wh.gone", ""},
                           {"var/new", "new"},
                           {"var/.wh..wh..opq", ""},
                           {"opt/.wh.d", ""},
                           {"opt/d/b", "again"},
                           {"lib/", "", AE_IFDIR, "", 0755},
                           {"lib/c", "own"}},
                          false)});
  import(layout());
  EXPECT_EQ(text_of(tree() / "etc/keep"), "1");
  EXPECT_FALSE(fs::exists(tree() / "etc/gone"));
  EXPECT_FALSE(fs::exists(tree() / "var/old"));
  EXPECT_EQ(text_of(tree() / "var/new"), "new");  // of the opaque directory's own layer
  EXPECT_FALSE(fs::exists(tree() / "opt/d/a"));
  EXPECT_EQ(text_of(tree() / "opt/d/b"), "again");
  EXPECT_FALSE(fs::is_symlink(tree() / "lib"));
  EXPECT_FALSE(fs::exists(tree() / "etc/.wh.gone"));
}

TEST_F(OciTest, ALayerWithAWrongDigestIsRefused) {
  const std::string digest = base();
  manifest({digest});
  const fs::path file = layout() / "blobs/sha256" / digest.substr(7);
  std::string content = text_of(file);
  content[content.size() / 2] ^= 1;
  put(layout(), "/blobs/sha256/" + digest.substr(7), content);
  refused(layout(), "another digest");
  EXPECT_TRUE(fs::is_empty(tree()));
  fs::remove(file);
  refused(layout(), "missing");
  manifest({"md5:0123"});
  refused(layout(), "known is sha256");
  manifest({"sha256:../../../../etc/passwd"});
  refused(layout(), "known is sha256");
  put(layout(), "/index.json", "{");
  refused(layout(), "index.json");
}

TEST_F(OciTest, WhiteoutsDoNotReachOutside) {
  manifest({layer({{"way", "", AE_IFLNK, (dir_.path() / "outside").string()},
                   {"up", "", AE_IFLNK, "../outside"}},
                  false),
            layer({{"way/.wh.victim", ""}, {"up/.wh..wh..opq", ""}}, false)});
  import(layout());  // TearDown looks
  manifest({layer({{".wh...", ""}}, false)});
  refused(layout(), "whiteout of nothing");
}

TEST_F(OciTest, WhatDockerSavesIsReadFromItsTar) {
  const std::string inner = text_of(tar({{"etc/x", "docker"}}));
  const std::string config = R"({"rootfs": {"diff_ids": ["sha256:)" +
                             to_hex(sha256(std::as_bytes(std::span(inner)))) + "\"]}}";
  const auto saved = [&](const std::string& content) {
    write_archive(
        dir_.path() / "saved.tar",
        {{"abc/layer.tar", content},
         {"config.json", config},
         {"manifest.json", R"([{"Config": "config.json", "Layers": ["abc/layer.tar"]}])"}});
    return dir_.path() / "saved.tar";
  };
  import(saved(inner));
  EXPECT_EQ(text_of(tree() / "etc/x"), "docker");
  std::string damaged = inner;
  damaged[600] ^= 1;
  refused(saved(damaged), "another digest");
}

TEST_F(ImportTest, SingleProgramsHaveTheirPlace) {
  put(dir_.path(), "/m.wasm", std::string("\0asm\1\0\0\0rest", 12));
  import(dir_.path() / "m.wasm");
  EXPECT_EQ(text_of(tree() / "app/m.wasm").size(), 12u);
  put(dir_.path(), "/m2.wasm", std::string("\0asm\2\0\0\0rest", 12));
  refused(dir_.path() / "m2.wasm", "of no known kind");
  refused(dir_.path() / "m2.wasm", "not a WebAssembly module", "wasm");
  refused("/bin/sh", "dynamically linked");
  put(dir_.path(), "/short",
      "\x7f"
      "ELF");
  refused(dir_.path() / "short", "not a whole ELF");
}

TEST_F(ImportTest, AScratchTreeGoesWhateverIsInIt) {
  fs::path path;
  {
    const ScratchTree scratch(dir_.path() / "image");
    path = scratch.path();
    put(path, "/a/b/c", "x");
    fs::create_symlink(dir_.path() / "outside", path / "a/link");
    fs::permissions(path / "a/b", fs::perms{0000});
    fs::permissions(path / "a", fs::perms{0555});
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace missive::zar
