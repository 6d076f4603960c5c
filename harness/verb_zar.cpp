// The verb `zar`: images, by thin calls over real/zar.

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "harness/verb_list.h"
#include "harness/zar/zar_verb.h"
#include "models/quantity.h"
#include "real/zar/parallel.h"
#include "real/zar/wire.h"

namespace missive::harness {

// A file's bytes, mapped; the mapping outlives the descriptor (mmap(2)).
Mapping map_file(const std::string& name) {
  const UniqueFd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
    throw InputError(fmt::format("{}: no image: not a readable file with content", name));
  return Mapping::read_only(fd.get(), static_cast<std::size_t>(status.st_size), name);
}

OpenImage::OpenImage(const std::string& file)
    : mapping(map_file(file)), image(zar::Image::open(mapping.bytes(), file)) {}

zar::Recipe read_recipe(const std::string& file) {
  const Mapping mapping = map_file(file);
  const auto bytes = mapping.bytes();
  if (bytes.size() >= zar::kRecipeMagic.size() &&
      zar::equal_text(bytes.first(zar::kRecipeMagic.size()), zar::kRecipeMagic))
    return zar::Recipe::parse(bytes, file);
  return zar::make_recipe(zar::Image::open(bytes, file), zar::thread_count(0));
}

std::uint32_t size_option(const std::string& option, const std::string& text, std::uint32_t limit) {
  try {
    const Bytes size = parse_bytes(text);
    if (size.count > limit) throw std::invalid_argument(fmt::format("{}: too large", text));
    return static_cast<std::uint32_t>(size.count);
  } catch (const std::invalid_argument& e) {
    throw InputError(fmt::format("{}: {}", option, e.what()));
  }
}

void add_zar_verb(Verb& program) {
  Verb& zar = program.add("zar", "build, read, compare and check application images");
  add_zar_build(zar);
  add_zar_ls(zar);
  add_zar_stat(zar);
  add_zar_verify(zar);
  add_zar_extract(zar);
  add_zar_cat(zar);
  add_zar_diff(zar);
  add_zar_mount(zar);
  add_zar_import(zar);
  add_zar_trace(zar);
  add_zar_pack(zar);
  add_zar_blocks(zar);
}

}  // namespace missive::harness
