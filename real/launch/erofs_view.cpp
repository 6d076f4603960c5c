#include "real/launch/erofs_view.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "models/error.h"
#include "real/launch/erofs_format.h"
#include "real/launch/sealed_memory.h"

namespace missive::launch {

namespace {

using namespace erofs;

constexpr std::uint64_t blocks_of(std::uint64_t bytes) { return (bytes + kBlock - 1) / kBlock; }

// Where one inode and what belongs to it lie.
struct Node {
  std::uint64_t at = 0;  // of the inode, in bytes; 0: none of its own (a further hard link)
  Layout layout = Layout::plain;
  std::uint64_t own_bytes = 0;    // content kept here, for all but `chunks`
  std::uint64_t first_block = 0;  // of what does not go into the inode
  std::uint32_t chunk_bits = 0;   // lg of the blocks of a chunk
  std::uint32_t links = 0;
  std::vector<ChunkIndex> chunks;
};

class Writer {
 public:
  explicit Writer(const ImageTree& tree)
      : tree_(tree), image_(tree.image()), nodes_(image_.entries().size()) {}

  ErofsView write() {
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) plan(i);
    inodes_end_ = blocks_of(cursor_) * kBlock;
    for (Node& node : nodes_) place_blocks(node);
    bytes_.resize((inodes_end_ / kBlock + blocks_) * kBlock);
    put_head();
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) put_inode(i);
    return finish();
  }

 private:
  const zar::Entry& entry(std::uint32_t i) const { return image_.entries()[i]; }
  std::uint64_t number(std::uint32_t i) const {
    return (nodes_[image_.link_of(i)].at - kFirstInode) / kSlot;
  }

  void plan(std::uint32_t i) {
    const std::uint32_t first = image_.link_of(i);
    ++nodes_[first].links;
    if (first != i) return;
    Node& node = nodes_[i];
    const zar::Entry& e = entry(i);
    switch (e.kind) {
      case zar::EntryKind::directory:
        node.own_bytes = directory(i, nullptr);
        break;
      case zar::EntryKind::symlink:
        node.own_bytes = e.size;
        break;
      case zar::EntryKind::file:
        if (e.partial)
          throw RunError(std::string(e.path) +
                         ": a partial file cannot be in an EROFS file system; take fuse");
        plan_file(node, e);
        break;
    }
    if (node.layout != Layout::chunks && node.own_bytes % kBlock != 0 &&
        node.own_bytes % kBlock <= kBlock - kInode)
      node.layout = Layout::inlined;
    place_inode(node);
  }

  // Content of the image as it lies, where that can be; page by page where some have to be copied.
  void plan_file(Node& node, const zar::Entry& e) {
    const auto extents = image_.extents(e);
    const bool whole = extents.size() == 1 && extents[0].length == e.size;
    if (e.size == 0) return;
    if (whole && on_pages(extents[0]) && ends_in_zeros(extents[0])) {
      node.layout = Layout::chunks;
      node.chunk_bits = std::bit_width(blocks_of(e.size) - 1);
      node.chunks = {{0, 1, static_cast<std::uint32_t>(extents[0].offset / kBlock)}};
    } else if (whole && e.size < kBlock) {
      node.own_bytes = e.size;
    } else {
      node.layout = Layout::chunks;
      node.chunks.resize(blocks_of(e.size));
      for (const zar::Extent& part : extents) plan_extent(node, part);
    }
  }

  void plan_extent(Node& node, const zar::Extent& part) {
    const bool direct = on_pages(part);
    const std::uint64_t first = part.file_offset / kBlock, pages = blocks_of(part.length);
    for (std::uint64_t p = 0; p < pages; ++p) {
      const bool last = p + 1 == pages;
      if (direct && (!last || ends_in_zeros(part)))
        node.chunks[first + p] = {0, 1, static_cast<std::uint32_t>(part.offset / kBlock + p)};
      else  // its block comes when all inodes are placed: place_blocks()
        node.chunks[first + p] = {0, 0, 0};
    }
  }

  static bool on_pages(const zar::Extent& part) { return part.offset % kBlock == 0; }

  // Nothing of another file may be seen behind a file's end, as it would be in a mapping of its
  // last page.
  bool ends_in_zeros(const zar::Extent& part) const {
    const std::uint64_t end = part.offset + part.length;
    const auto rest = image_.data().subspan(end, blocks_of(end) * kBlock - end);
    return std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; });
  }

  // Inodes begin at multiples of their size; one with content inside ends in its block.
  void place_inode(Node& node) {
    const std::uint64_t inside = node.layout == Layout::inlined ? node.own_bytes % kBlock : 0;
    if (cursor_ % kBlock + kInode + inside > kBlock) cursor_ = blocks_of(cursor_) * kBlock;
    node.at = cursor_;
    const std::uint64_t bytes = kInode + inside + node.chunks.size() * sizeof(ChunkIndex);
    cursor_ += (bytes + kInode - 1) / kInode * kInode;
  }

  void place_blocks(Node& node) {
    if (node.at == 0) return;
    const auto take = [&](std::uint64_t blocks) {
      const std::uint64_t first = inodes_end_ / kBlock + blocks_;
      blocks_ += blocks;
      return first;
    };
    if (node.layout == Layout::plain) node.first_block = take(blocks_of(node.own_bytes));
    if (node.layout == Layout::inlined) node.first_block = take(node.own_bytes / kBlock);
    for (ChunkIndex& chunk : node.chunks)
      if (chunk.device == 0 && chunk.block == 0) chunk.block = static_cast<std::uint32_t>(take(1));
  }

  template <typename T>
  void put(std::uint64_t at, const T& value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }

  void put_head() {
    SuperBlock super;
    super.root = static_cast<std::uint16_t>(number(0));
    super.inodes = nodes_.size();
    super.blocks = static_cast<std::uint32_t>(bytes_.size() / kBlock);
    put(1024, super);
    DeviceSlot slot;
    slot.blocks = static_cast<std::uint32_t>(image_.data().size() / kBlock);
    put(1024 + sizeof super, slot);
  }

  void put_inode(std::uint32_t i) {
    const Node& node = nodes_[i];
    if (node.at == 0) return;
    const zar::Entry& e = entry(i);
    const struct stat status = tree_.attributes(i);
    Inode inode;
    inode.format = format_of(node.layout);
    inode.mode = static_cast<std::uint16_t>(status.st_mode);
    inode.size = e.kind == zar::EntryKind::directory ? node.own_bytes : e.size;
    inode.where = node.layout == Layout::chunks ? kIndexed | node.chunk_bits
                                                : static_cast<std::uint32_t>(node.first_block);
    inode.number = i + 1;
    inode.mtime = static_cast<std::uint64_t>(status.st_mtim.tv_sec);
    inode.mtime_nsec = static_cast<std::uint32_t>(status.st_mtim.tv_nsec);
    inode.links = e.kind == zar::EntryKind::directory ? 2 : node.links;
    put(node.at, inode);
    if (node.layout == Layout::chunks)
      put_chunks(node, e);
    else if (e.kind == zar::EntryKind::directory)
      put_own(node, listing(i));
    else
      put_own(node, image_.content(e));
    if (e.kind == zar::EntryKind::file) copied_ += node.own_bytes;
  }

  void put_own(const Node& node, std::span<const std::byte> content) {
    const std::uint64_t inside = node.layout == Layout::inlined ? content.size() % kBlock : 0;
    const auto front = content.first(content.size() - inside);
    std::ranges::copy(front,
                      bytes_.begin() + static_cast<std::ptrdiff_t>(node.first_block * kBlock));
    std::ranges::copy(content.last(inside),
                      bytes_.begin() + static_cast<std::ptrdiff_t>(node.at + kInode));
  }

  void put_chunks(const Node& node, const zar::Entry& e) {
    std::vector<std::byte> scratch;
    for (std::size_t c = 0; c < node.chunks.size(); ++c) {
      const ChunkIndex& chunk = node.chunks[c];
      put(node.at + kInode + c * sizeof chunk, chunk);
      if (chunk.device != 0 || chunk.block == kHole) continue;
      const auto page = image_.view(e, c * kBlock, kBlock, scratch);
      std::ranges::copy(page, bytes_.begin() + static_cast<std::ptrdiff_t>(chunk.block * kBlock));
      copied_ += page.size();
    }
  }

  std::vector<std::byte> listing(std::uint32_t directory_index) const {
    std::vector<std::byte> bytes;
    directory(directory_index, &bytes);
    return bytes;
  }

  // A directory's content: in each block the entries, then their names; all of them sorted by name,
  // "." and ".." among them. Returns its length; writes it, too, unless `to` is null.
  std::uint64_t directory(std::uint32_t index, std::vector<std::byte>* to) const {
    struct Named {
      std::string_view name;
      std::uint32_t index;
    };
    std::vector<Named> all{{".", index}, {"..", tree_.parent(index)}};
    for (const std::uint32_t child : tree_.children(index))
      all.push_back({tree_.name(child), child});
    std::ranges::sort(all, {}, &Named::name);
    std::uint64_t length = 0;
    for (std::size_t first = 0; first < all.size();) {
      std::size_t end = first;
      std::uint64_t used = 0;
      for (; end < all.size(); ++end) {
        const std::uint64_t more = sizeof(Dirent) + all[end].name.size();
        if (used + more > kBlock) break;
        used += more;
      }
      if (to != nullptr) {
        to->resize(length + (end < all.size() ? kBlock : used));
        std::uint64_t name_at = (end - first) * sizeof(Dirent);
        for (std::size_t i = first; i < end; ++i) {
          Dirent dirent;
          dirent.inode = number(all[i].index);
          dirent.name_offset = static_cast<std::uint16_t>(name_at);
          dirent.type = type_of(all[i].index);
          std::memcpy(to->data() + length + (i - first) * sizeof dirent, &dirent, sizeof dirent);
          std::memcpy(to->data() + length + name_at, all[i].name.data(), all[i].name.size());
          name_at += all[i].name.size();
        }
      }
      length += end < all.size() ? kBlock : used;
      first = end;
    }
    return length;
  }

  std::uint8_t type_of(std::uint32_t index) const {
    switch (entry(index).kind) {
      case zar::EntryKind::file:
        return 1;
      case zar::EntryKind::directory:
        return 2;
      case zar::EntryKind::symlink:
        return 7;
    }
    return 0;
  }

  ErofsView finish() const {
    return {sealed_file_of(bytes_, "EROFS view"), bytes_.size(), copied_};
  }

  const ImageTree& tree_;
  const zar::Image& image_;
  std::vector<Node> nodes_;
  std::uint64_t cursor_ = kFirstInode, inodes_end_ = 0, blocks_ = 0, copied_ = 0;
  std::vector<std::byte> bytes_;
};

}  // namespace

ErofsView make_erofs_view(const ImageTree& tree) { return Writer(tree).write(); }

}  // namespace missive::launch
