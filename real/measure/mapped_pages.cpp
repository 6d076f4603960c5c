#include "real/measure/mapped_pages.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include <sys/sysmacros.h>

#include "models/error.h"

namespace missive::measure {

namespace fs = std::filesystem;

namespace {

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view next_word(std::string_view& line) {
  const std::size_t from = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t end = std::min(line.find(' ', from), line.size());
  const std::string_view word = line.substr(from, end - from);
  line.remove_prefix(end);
  return word;
}

struct File {
  dev_t device = 0;
  ino_t inode = 0;
};

// "7f12-7f13 r--p 00000000 00:2a 1234   /path": a mapping begins; other lines are "Key:   1 kB".
std::optional<File> heading(std::string_view line) {
  const std::string_view range = next_word(line);
  if (range.empty() || range.back() == ':') return std::nullopt;
  next_word(line);  // rights
  next_word(line);  // offset
  const std::string_view device = next_word(line);
  const std::string_view inode = next_word(line);
  const std::size_t colon = std::min(device.find(':'), device.size());
  const auto major = number(device.substr(0, colon), 16);
  const auto minor = number(device.substr(std::min(colon + 1, device.size())), 16);
  const auto node = number(inode, 10);
  if (!major || !minor || !node) return std::nullopt;
  return File{::gnu_dev_makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor)),
              static_cast<ino_t>(*node)};
}

std::uint64_t kilobytes(std::string_view line, const std::string& where) {
  const auto value = number(next_word(line), 10);
  if (!value || next_word(line) != "kB") throw RunError(where + ": not the text of smaps");
  return *value * 1024;
}

}  // namespace

MappedPages& MappedPages::operator+=(const MappedPages& other) {
  resident += other.resident;
  proportional += other.proportional;
  return *this;
}

MappedPages mapped_pages(std::string_view smaps, dev_t device, ino_t inode,
                         const std::string& where) {
  MappedPages sum;
  std::uint64_t anonymous = 0, resident = 0, proportional = 0;
  bool begun = false, wanted = false;
  // A mapping's own copies are resident, too, and nobody else's: they count in full in both.
  const auto close = [&] {
    if (wanted)
      sum += {resident - std::min(anonymous, resident),
              proportional - std::min(anonymous, proportional)};
    anonymous = resident = proportional = 0;
  };
  for (std::size_t at = 0; at < smaps.size();) {
    const std::size_t end = std::min(smaps.find('\n', at), smaps.size());
    const std::string_view line = smaps.substr(at, end - at);
    at = end + 1;
    if (const auto file = heading(line)) {
      close();
      begun = true;
      wanted = file->device == device && (inode == 0 || file->inode == inode);
    } else if (!begun) {
      throw RunError(where + ": not the text of smaps");
    } else if (line.starts_with("Rss:")) {
      resident = kilobytes(line.substr(4), where);
    } else if (line.starts_with("Pss:")) {
      proportional = kilobytes(line.substr(4), where);
    } else if (line.starts_with("Anonymous:")) {
      anonymous = kilobytes(line.substr(10), where);
    }
  }
  close();
  return sum;
}

MappedPages mapped_pages(pid_t pid, dev_t device, ino_t inode) {
  const std::string file = "/proc/" + std::to_string(pid) + "/smaps";
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    if (errno == ENOENT || errno == ESRCH) return {};
    throw RunError(file + ": " + std::strerror(errno));
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return mapped_pages(text, device, inode, file);
}

std::vector<pid_t> process_tree(pid_t pid) {
  std::vector<pid_t> all{pid};
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::error_code gone;
    const fs::path tasks = "/proc/" + std::to_string(all[i]) + "/task";
    for (auto each = fs::directory_iterator(tasks, gone); !gone && each != fs::end(each);
         each.increment(gone)) {
      std::ifstream children(each->path() / "children");
      all.insert(all.end(), std::istream_iterator<pid_t>(children), {});
    }
  }
  return all;
}

}  // namespace missive::measure
