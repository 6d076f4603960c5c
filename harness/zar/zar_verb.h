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

void add_zar_build(const SubVerbs& verbs);
void add_zar_ls(const SubVerbs& verbs);
void add_zar_stat(const SubVerbs& verbs);
void add_zar_verify(const SubVerbs& verbs);
void add_zar_extract(const SubVerbs& verbs);
void add_zar_cat(const SubVerbs& verbs);
void add_zar_diff(const SubVerbs& verbs);
void add_zar_mount(const SubVerbs& verbs);
void add_zar_import(const SubVerbs& verbs);
void add_zar_trace(const SubVerbs& verbs);
void add_zar_pack(const SubVerbs& verbs);
void add_zar_blocks(const SubVerbs& verbs);

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
