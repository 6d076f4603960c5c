// zar ls: what an image holds.

#include <memory>

#include <fmt/format.h>

#include "harness/zar/zar_verb.h"

namespace missive::harness {

namespace {

char kind_of(const zar::Entry& entry) {
  switch (entry.kind) {
    case zar::EntryKind::directory:
      return 'd';
    case zar::EntryKind::symlink:
      return 'l';
    case zar::EntryKind::file:
      return entry.partial ? 'p' : entry.in_extents ? 's' : '-';
  }
  return '?';
}

// Names may hold anything but '/' and zero; a terminal must not obey them.
std::string shown(std::string_view path) {
  std::string text;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '\\')
      text += fmt::format("\\x{:02x}", byte);
    else
      text += c;
  }
  return text;
}

ExitStatus list(const std::string& file, Terminal& terminal) {
  const OpenImage open(file);
  const zar::Image& image = open.image;
  for (std::uint32_t i = 0; i < image.entries().size(); ++i) {
    const zar::Entry& entry = image.entries()[i];
    std::string tail;
    if (entry.kind == zar::EntryKind::symlink) {
      const auto target = image.content(entry);
      tail = " -> " + shown({reinterpret_cast<const char*>(target.data()), target.size()});
    } else if (const std::uint32_t first = image.link_of(i); first != i) {
      tail = " = " + shown(image.entries()[first].path);
    }
    terminal.out << fmt::format("{}{:04o} {:>12} {:>12}  {}{}\n", kind_of(entry), entry.mode,
                                entry.size, entry.offset, shown(entry.path), tail);
  }
  for (const std::string_view path : image.absent())
    terminal.out << fmt::format("x---- {:>12} {:>12}  {}\n", 0, 0, shown(path));
  return ExitStatus::ok;
}

}  // namespace

void add_zar_ls(Verb& zar) {
  Verb& verb = zar.add(
      "ls",
      "list an image: kind and mode, size, offset, path\n"
      "kinds: - file, s sparse, p partial, d directory, l link, x name that does not exist");
  auto image = std::make_shared<std::string>();
  verb.option("IMAGE", *image, "image file", {.required = true});
  verb.action = [image](Terminal& terminal) { return list(*image, terminal); };
}

}  // namespace missive::harness
