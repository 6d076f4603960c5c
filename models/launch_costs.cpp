#include "models/launch_costs.h"

namespace missive {

namespace {

// The terms of an affine cost.
struct Affine {
  bool call = false, byte = false, item = false;
};
constexpr Affine kCall{true, false, false};
constexpr Affine kByte{false, true, false};
constexpr Affine kItem{false, false, true};
constexpr Affine kCallByte{true, true, false};
constexpr Affine kCallItem{true, false, true};
constexpr Affine kByteItem{false, true, true};
constexpr Affine kCallByteItem{true, true, true};

CostModel model(const char* name, Affine t, const char* what, const char* source) {
  return {name, what, t.call, t.byte, t.item, source};
}

// Of an application's start that is cut into parts, one part is so many millionths of its time.
CostModel native_ready() {
  CostModel m = model("native_ready", {true, false, true},
                      "the application's own time from fork to its ready mark, from an unpacked "
                      "tree; items: millionths of it",
                      "the native twin, measured per application; no part of the untrusted path");
  m.equation = [](const Demand& d, const Terms& terms) {
    return (static_cast<double>(d.calls) + static_cast<double>(d.items) * 1e-6) * terms("call_s");
  };
  return m;
}

}  // namespace

const std::vector<CostModel>& launch_costs() {
  static const std::vector<CostModel> table{
      // Launcher: process and boot block.
      model("boot_block_check", kCall, "Ed25519 verification and parsing of one boot block",
            "RFC 8032: one signature over a short message"),
      model("picoprocess_create", kCall, "one picoprocess cloned",
            "clone3(2): the launcher's page tables copied, a mount and a pid namespace"),
      model("picoprocess_prepare", kCall,
            "its other namespaces, private mounts and devices, made in it beside the launcher",
            "namespaces(7): a fixed sequence of system calls"),
      model("picoprocess_start", kCall,
            "one delivered root moved in, privileges dropped, the program executed",
            "move_mount(2), pivot_root(2), seccomp(2), execve(2)"),
      native_ready(),

      // Between launcher and cache: a Unix stream socket.
      model("unix_connect", kCall, "one connection to the cache, with its first answer",
            "unix(7): the cache makes a thread for it"),
      model("unix_round_trip", kCall, "one small request and its reply",
            "unix(7): two messages, two wake-ups"),
      model("tag_put", kCall, "one tag given to the cache", "a round trip, and a record written"),
      model("hand_over_sealed", kCall,
            "one sealed memfd passed, its seals checked, mapped, right behind a look-up",
            "unix(7) SCM_RIGHTS, fcntl(2) F_GET_SEALS, mmap(2): does not depend on the size"),
      model("hand_over_assembled", kCall, "the same right behind the image's assembly",
            "as before, once the assembly's copy has displaced it from the processor's caches"),
      model("hand_over_copy", kCallByte, "an image copied through the socket into fresh memory",
            "two copies per byte, a fault per fresh page"),

      // The cache's own work, with what it has from the origin.
      model("store_lookup", kItem, "items: blocks looked up in the store's index",
            "one hash-table probe each"),
      model("fetch", kCallByteItem,
            "one image: bytes received and checked against their names, items: blocks appended to "
            "the store; beyond the link's round trips",
            "HTTP over TCP, one SHA-256 and one write(2) a block, on one thread; the sender works "
            "on another core"),
      model("assemble", kCallByte,
            "an image assembled from stored blocks into a fresh memfd, and sealed",
            "a copy into fresh shared memory; F_SEAL_WRITE checks every page (fcntl(2))"),

      // Verification.
      model(
          "sha256_blocks", kByteItem, "items: blocks hashed with SHA-256",
          "FIPS 180-4: one compression per 64 bytes, set-up and padding per block; one at a time"),
      model("sha256_leaves", kByteItem,
            "items: leaves below 64 KiB hashed with SHA-256, many at once where the processor can",
            "FIPS 180-4, one message in each vector lane (libipsec-mb's job interface)"),
      model("gmac", kCallByte, "bytes through AES-128-GMAC, one tag per call",
            "SP 800-38D: one GF(2^128) multiplication per 16 bytes"),
      model("block_verifier", kCall, "one record of block tags opened, a first small block checked",
            "HKDF twice, one short MAC, a key schedule and the library's set-up for it"),
      model("block_tag", kByteItem, "items: blocks checked against a tag of each",
            "SP 800-38D; per block its nonce, the closing of its tag and a look at the bitmap"),
      model("map_touch", kByte, "bytes of a mapped memfd read for the first time",
            "mmap(2): a minor fault per fault-around window"),

      // Delivery.
      model("image_open", kCallItem, "items: entries of an image's index read and checked",
            "one pass over the index (docs/zarfile-format.md)"),
      model("image_tree", kCallItem, "items: entries of an image put in a tree for a file server",
            "one pass, and a sort by parent"),
      model("plan_ahead", kItem,
            "items: symbolic links of an image followed, to know which lead to what a start needs",
            "each by name to its end, a binary search a part (path_resolution(7))"),
      model("extract_mount", kCall, "one tmpfs made", "fsopen(2), fsmount(2)"),
      model("extract", kByteItem, "items: files written into a fresh tmpfs, with their content",
            "open, write, close per file; a fresh page per 4 KiB"),
      model("extract_node", kItem, "items: directories and symbolic links made in a tmpfs",
            "mkdir(2), symlink(2)"),
      model("fuse_mount", kCall, "one FUSE file system made, its server started",
            "fsmount(2), a thread, the FUSE_INIT exchange"),
      model("fuse_directory", kItem, "items: directories listed through the mount",
            "openat(2) and one FUSE_READDIRPLUS round trip each, whatever its entries"),
      model("fuse_list", kItem, "items: directory entries listed through the mount",
            "FUSE_READDIRPLUS: many entries a request, an inode and a dentry each"),
      model("fuse_store", kCallByteItem,
            "items: runs of pages pushed into the page cache, by two threads",
            "FUSE_NOTIFY_STORE: one write(2) per run; a fresh page and a copy per 4 KiB"),
      model("fuse_read", kByteItem,
            "items: requests for pages that are not in the page cache, made by page faults",
            "FUSE_READ: a round trip, fresh pages and a copy per 4 KiB"),
      model("fault_answer", kByteItem,
            "items: page faults of a program answered by a handler outside it, bytes: mapped so",
            "userfaultfd(2): two wake-ups and an UFFDIO_CONTINUE; a page-table entry per 4 KiB"),
      model("fault_ahead", kByteItem,
            "items: stretches of pages mapped for a program before it asks, bytes: theirs",
            "UFFDIO_CONTINUE: one call per stretch; a page-table entry per 4 KiB"),
      model("erofs_view", kItem, "items: entries of an image written as an EROFS file system",
            "an inode, a name and the files below a page each (fs/erofs/erofs_fs.h)"),
      model("erofs_mount", kCall, "two loop devices made, one EROFS file system over them",
            "loop(4), fsmount(2): a fixed sequence of system calls"),
      model("fuse_lookup", kItem, "items: names looked up, or links read, for the first time",
            "one FUSE_LOOKUP or FUSE_READLINK round trip each"),
  };
  return table;
}

}  // namespace missive
