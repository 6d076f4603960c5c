#include "real/launch/image_tree.h"

#include <algorithm>

namespace missive::launch {

ImageTree::ImageTree(const zar::Image& image) : image_(image) {
  const auto& entries = image.entries();
  parents_.resize(entries.size());
  first_.resize(entries.size() + 1);
  for (std::uint32_t i = 1; i < entries.size(); ++i) {
    const std::string_view path = entries[i].path;
    const std::string_view parent = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    // Entries of one directory mostly follow each other.
    parents_[i] =
        entries[parents_[i - 1]].path == parent ? parents_[i - 1] : image.find(parent).value();
    ++first_[parents_[i] + 1];
  }
  for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  children_.resize(first_.back());
  std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
  // Entries are sorted by path, so the children of a directory come out sorted by name.
  for (std::uint32_t i = 1; i < entries.size(); ++i) children_[next[parents_[i]]++] = i;
}

const zar::Entry* ImageTree::entry(std::uint64_t inode) const {
  return inode >= 1 && inode <= image_.entries().size() ? &image_.entries()[inode - 1] : nullptr;
}

std::span<const std::uint32_t> ImageTree::children(std::uint32_t directory) const {
  return std::span(children_).subspan(first_[directory], first_[directory + 1] - first_[directory]);
}

std::string_view ImageTree::name(std::uint32_t index) const {
  const std::size_t above = image_.entries()[parents_[index]].path.size();
  return image_.entries()[index].path.substr(above == 1 ? 1 : above + 1);
}

std::optional<std::uint32_t> ImageTree::child(std::uint32_t directory,
                                              std::string_view wanted) const {
  const auto all = children(directory);
  const auto at = std::lower_bound(
      all.begin(), all.end(), wanted,
      [&](std::uint32_t index, std::string_view text) { return name(index) < text; });
  if (at == all.end() || name(*at) != wanted) return std::nullopt;
  return *at;
}

struct stat ImageTree::attributes(std::uint32_t index) const {
  const zar::Entry& entry = image_.entries()[index];
  struct stat status {};
  status.st_ino = index + 1;
  status.st_mode = entry.mode | (entry.kind == zar::EntryKind::directory ? S_IFDIR
                                 : entry.kind == zar::EntryKind::symlink ? S_IFLNK
                                                                         : S_IFREG);
  status.st_nlink = entry.kind == zar::EntryKind::directory ? 2 : 1;
  status.st_size = static_cast<off_t>(entry.size);
  status.st_blocks = static_cast<blkcnt_t>((entry.size + 511) / 512);
  status.st_blksize = 4096;
  status.st_mtim.tv_sec = entry.mtime_ns / 1'000'000'000;
  status.st_mtim.tv_nsec = entry.mtime_ns % 1'000'000'000;
  if (status.st_mtim.tv_nsec < 0) {  // before 1970
    status.st_mtim.tv_nsec += 1'000'000'000;
    --status.st_mtim.tv_sec;
  }
  status.st_atim = status.st_ctim = status.st_mtim;
  return status;
}

}  // namespace missive::launch
