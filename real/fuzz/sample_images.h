#pragma once
// Seeds for targets that read images: one small tree, packed in every way the format knows.

#include <vector>

#include "real/fuzz/fuzz_target.h"
#include "real/zar/builder.h"
#include "real/zar/test_tree.h"

namespace missive::fuzz {

// Some 8 to 16 KiB each, with the smallest blocks.
inline std::vector<Bytes> sample_images() {
  const zar::TemporaryDirectory dir;
  const auto tree = dir.path() / "tree";
  zar::put(tree, "/etc/motd", "welcome\n");
  zar::put(tree, "/etc/empty", "");
  zar::put(tree, "/lib/page.so", zar::noise(4096, 1));
  zar::put(tree, "/lib/large.so", zar::noise(5000, 2));
  zar::put(tree, "/var/holes", "front");
  std::filesystem::resize_file(tree / "var/holes", 40'000);
  std::filesystem::create_hard_link(tree / "etc/motd", tree / "etc/motd.1");
  std::filesystem::create_symlink("etc/motd", tree / "link");
  zar::fix_times(tree);
  zar::Selection start;
  start.runs = {{"/lib/large.so", 1, 1}, {"/etc/motd", 0, 1}};
  start.absent = {"/etc/none", "/lib/none"};

  struct Form {
    const char *units, *packing, *tree;
    bool touched_only;
  };
  std::vector<Bytes> images;
  for (const Form& form :
       {Form{"blocks", "greedy", "plain", false}, Form{"blocks", "page", "fs-verity", false},
        Form{"cdc", "directory", "plain", false}, Form{"strings", "path", "plain", false},
        Form{"blocks", "path", "plain", true}}) {
    zar::BuildOptions o;
    o.block_size = 4096;
    o.units = form.units;
    o.packing = form.packing;
    o.tree = form.tree;
    o.chunking = {64, 256, 1024};
    o.threads = 1;
    start.touched_only = form.touched_only;
    zar::build(tree, start, o, dir.path() / "image");
    images.push_back(zar::read_file(dir.path() / "image"));
  }
  return images;
}

}  // namespace missive::fuzz
