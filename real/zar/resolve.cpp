#include "real/zar/resolve.h"

namespace missive::zar {

namespace {

constexpr int kMaxLinks = 40;  // as Linux (path_resolution(7))
constexpr std::size_t kMaxPending = 65536;

}  // namespace

std::optional<std::uint32_t> resolve(const Image& image, const std::string& path) {
  std::string pending = path, current;  // `current` is resolved; "" is "/"
  int links = 0;
  while (!pending.empty()) {
    const std::size_t slash = pending.find('/');
    const std::string name = pending.substr(0, slash);
    pending.erase(0, slash == std::string::npos ? pending.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (!current.empty()) current.erase(current.rfind('/'));
      continue;
    }
    const auto at = image.find(current + '/' + name);
    if (!at) return std::nullopt;
    const Entry& e = image.entries()[*at];
    if (e.kind == EntryKind::directory) {
      current = e.path;
    } else if (e.kind == EntryKind::file) {
      if (pending.find_first_not_of('/') != std::string::npos) return std::nullopt;
      return at;
    } else {
      const auto bytes = image.content(e);
      const std::string target(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (++links > kMaxLinks || target.size() + pending.size() > kMaxPending) return std::nullopt;
      if (target.front() == '/') current.clear();
      pending = target + '/' + pending;
    }
  }
  return image.find(current.empty() ? "/" : current);
}

}  // namespace missive::zar
