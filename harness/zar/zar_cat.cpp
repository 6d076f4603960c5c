// zar cat: bytes of one file of an image.

#include <algorithm>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "harness/zar/zar_verb.h"
#include "real/zar/resolve.h"

namespace missive::harness {

namespace {

struct CatCommand {
  std::string image, path;
  std::uint64_t offset = 0, length = std::numeric_limits<std::uint64_t>::max();
};

ExitStatus run(const CatCommand& command, Terminal& terminal) {
  const OpenImage open(command.image);
  const auto index = zar::resolve(open.image, command.path);
  if (!index)
    throw InputError(
        fmt::format("{}: no {} in it; see 'missive-sim zar ls'", command.image, command.path));
  const zar::Entry& entry = open.image.entries()[*index];
  if (entry.kind != zar::EntryKind::file)
    throw InputError(
        fmt::format("{}: {} is a directory; name a file", command.image, command.path));
  constexpr std::uint64_t kStep = 1 << 20;
  std::vector<std::byte> scratch;
  const std::uint64_t from = std::min(command.offset, entry.size);
  const std::uint64_t end = from + std::min(command.length, entry.size - from);
  for (std::uint64_t at = from; at < end;) {
    const auto part = open.image.view(entry, at, std::min(kStep, end - at), scratch);
    terminal.out.write(reinterpret_cast<const char*>(part.data()),
                       static_cast<std::streamsize>(part.size()));
    if (!terminal.out) break;  // the caller says so
    at += part.size();
  }
  return ExitStatus::ok;
}

}  // namespace

void add_zar_cat(Verb& zar) {
  Verb& verb = zar.add("cat", "print a file of an image");
  auto command = std::make_shared<CatCommand>();
  verb.option("IMAGE", command->image, "image file", {.required = true});
  verb.option("PATH", command->path, "within it; symbolic links are followed", {.required = true});
  verb.option("--offset", command->offset, "first byte", {.default_text = "0"});
  verb.option("--length", command->length, "bytes", {.default_text = "to the end"});
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

}  // namespace missive::harness
