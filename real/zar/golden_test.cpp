// Images of one small tree, byte for byte as they were when the format was fixed. Whoever changes
// one has to raise the form version, because names of images are kept and signed elsewhere.
// zar_reader_test.py reads the same files. To write them anew:
//   MISSIVE_WRITE_GOLDEN=1 build/release/real_zar_golden_test

#include <cstdlib>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/zar/builder.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

namespace fs = std::filesystem;

// Numbered lines: content that differs everywhere and can be read in the hex dump.
std::string numbered(std::size_t size, const char* word) {
  std::string text;
  for (unsigned i = 0; text.size() < size; ++i) text += word + std::to_string(i) + "\n";
  return text.substr(0, size);
}

// False where the file system cannot hold it.
bool put_golden_tree(const fs::path& tree) {
  put(tree, "/etc/motd", "welcome\n");
  put(tree, "/etc/empty", "");
  put(tree, "/etc/odd name\n\xff", "odd", -5);
  put(tree, "/lib/small.so", numbered(700, "small "));
  put(tree, "/lib/page.so", numbered(4096, "page "));
  put(tree, "/lib/large.so", numbered(9001, "large "));
  put(tree, "/lib/sub/tiny", "tiny");
  put(tree, "/var/holes", "front");
  fs::resize_file(tree / "var/holes", 40'000);
  const UniqueFd fd(::open((tree / "var/holes").c_str(), O_WRONLY | O_CLOEXEC));
  if (::pwrite(fd.get(), "back", 4, 20'000) != 4) return false;
  set_time(tree / "var/holes", 1'700'000'000);
  fs::create_hard_link(tree / "lib/page.so", tree / "lib/page.so.1");
  fs::create_symlink("etc/motd", tree / "link");
  for (const auto& e : fs::recursive_directory_iterator(tree))
    if (!e.is_symlink()) fs::permissions(e.path(), fs::perms{e.is_directory() ? 0755u : 0640u});
  fs::permissions(tree, fs::perms{0755});
  const bool attributes = ::setxattr((tree / "etc/motd").c_str(), "user.note", "kept", 4, 0) == 0 &&
                          ::setxattr((tree / "lib").c_str(), "user.empty", "", 0, 0) == 0;
  fix_times(tree);
  struct stat st {};
  return attributes && ::stat((tree / "var/holes").c_str(), &st) == 0 &&
         st.st_blocks * 512 < 40'000;
}

Selection start() {
  Selection s;
  s.runs = {{"/lib/large.so", 1, 1}, {"/etc/motd", 0, 1}, {"/lib/page.so.1", 0, 1}};
  s.absent = {"/etc/none", "/lib/sub/none"};
  return s;
}

struct Golden {
  const char* name;
  BuildOptions options;
  Selection selection;
};

std::vector<Golden> goldens() {
  BuildOptions o;
  o.block_size = 4096;
  o.degree = 3;
  std::vector<Golden> all = {{"blocks", o, start()}};
  o.packing = "greedy";
  o.placement = "stable";
  all.push_back({"greedy-stable", o, {}});
  o.packing = "directory";
  o.placement = "greedy";
  o.units = "cdc";
  o.chunking = {64, 256, 1024};
  all.push_back({"cdc", o, start()});
  o.packing = "launch";
  o.placement = "launch";
  o.units = "strings";
  all.push_back({"strings", o, start()});
  BuildOptions verity;
  verity.block_size = 4096;
  verity.packing = "page";
  verity.tree = "fs-verity";
  all.push_back({"fs-verity", verity, {}});
  Selection touched = start();
  touched.touched_only = true;
  all.push_back({"touched", {}, touched});
  return all;
}

// Lines of 32 bytes; lines of zeros are left out.
std::string dump(const Digest& name, std::span<const std::byte> image) {
  std::ostringstream text;
  text << "name " << to_hex(name) << "\nlength " << image.size() << '\n';
  for (std::size_t at = 0; at < image.size(); at += 32) {
    Digest line;
    std::copy_n(image.begin() + static_cast<long>(at), 32, line.bytes.begin());
    if (line != Digest{}) text << at << ' ' << to_hex(line) << '\n';
  }
  return text.str();
}

TEST(Golden, EveryImageHasItsKnownBytes) {
  const TemporaryDirectory dir;
  if (!put_golden_tree(dir.path() / "tree"))
    GTEST_SKIP() << "the temporary directory keeps no holes or no user attributes";
  const fs::path folder = "real/zar/golden";  // tests run in the source folder
  for (const Golden& g : goldens()) {
    const Digest name =
        build(dir.path() / "tree", g.selection, g.options, dir.path() / "image").name;
    const std::string now = dump(name, read_file(dir.path() / "image"));
    const fs::path file = folder / (std::string(g.name) + ".hex");
    if (std::getenv("MISSIVE_WRITE_GOLDEN") != nullptr) {
      fs::create_directory(folder);
      std::ofstream(file, std::ios::binary) << now;
    }
    EXPECT_TRUE(as_text(read_file(file)) == now) << g.name << " is another image than it was";
  }
}

}  // namespace
}  // namespace missive::zar
