#pragma once
// The verbs below `zar`: one file each, zar_<name>.cpp, and one line in verb_zar.cpp. Thin calls
// over real/zar.

#include <cstdint>
#include <string>

#include "harness/verb.h"
#include "real/fd.h"
#include "real/zar/image.h"
#include "real/zar/recipe.h"

namespace missive::harness {

void add_zar_build(Verb& zar);
void add_zar_ls(Verb& zar);
void add_zar_stat(Verb& zar);
void add_zar_verify(Verb& zar);
void add_zar_extract(Verb& zar);
void add_zar_cat(Verb& zar);
void add_zar_diff(Verb& zar);
void add_zar_mount(Verb& zar);
void add_zar_import(Verb& zar);
void add_zar_trace(Verb& zar);
void add_zar_pack(Verb& zar);
void add_zar_blocks(Verb& zar);

// A file's bytes. The mapping ends in SIGBUS when somebody cuts the file off meanwhile. Throws
// InputError: not a readable file with content.
Mapping map_file(const std::string& name);

// An image file, mapped and checked. The mapping ends in SIGBUS when somebody cuts the file off
// meanwhile: it is the user's own file.
struct OpenImage {
  explicit OpenImage(const std::string& file);
  Mapping mapping;
  zar::Image image;
};

// Recipe of an image file, or a recipe file: told apart by the magic number.
zar::Recipe read_recipe(const std::string& file);

// A size in bytes from the command line ("64KiB"), at most `limit`. Throws InputError that names
// the option.
std::uint32_t size_option(const std::string& option, const std::string& text, std::uint32_t limit);

}  // namespace missive::harness
