#pragma once
// An image as a tree of inodes, for a file server: inode number = index into entries() + 1, so that
// "/" has the number 1 (FUSE_ROOT_ID). Look-ups are binary searches; nothing is copied.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <sys/stat.h>

#include "real/zar/image.h"

namespace missive::launch {

class ImageTree {
 public:
  // `image` must outlive the tree.
  explicit ImageTree(const zar::Image& image);

  const zar::Image& image() const { return image_; }
  // Null when there is no such inode.
  const zar::Entry* entry(std::uint64_t inode) const;
  // All below take and give indices into image().entries().
  std::uint32_t parent(std::uint32_t index) const { return parents_[index]; }
  std::span<const std::uint32_t> children(std::uint32_t directory) const;
  std::string_view name(std::uint32_t index) const;
  std::optional<std::uint32_t> child(std::uint32_t directory, std::string_view name) const;
  struct stat attributes(std::uint32_t index) const;

 private:
  const zar::Image& image_;
  std::vector<std::uint32_t> parents_;
  std::vector<std::uint32_t> children_;  // grouped by directory, in name order
  std::vector<std::uint32_t> first_;  // of each directory's group in children_; one more at the end
};

}  // namespace missive::launch
