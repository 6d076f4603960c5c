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

// What a verb of `zar` adds itself to.
struct ZarVerbs {
  Verbs& verbs;
  CLI::App* zar;

  CLI::App* add(const std::string& name, const std::string& what) const {
    return Verbs::add(zar, name, what);
  }
  void act(CLI::App* verb, Verbs::Action action) const { verbs.act(verb, std::move(action)); }
};

void add_zar_build(const ZarVerbs& verbs);
void add_zar_ls(const ZarVerbs& verbs);
void add_zar_stat(const ZarVerbs& verbs);
void add_zar_verify(const ZarVerbs& verbs);
void add_zar_extract(const ZarVerbs& verbs);
void add_zar_cat(const ZarVerbs& verbs);
void add_zar_diff(const ZarVerbs& verbs);
void add_zar_mount(const ZarVerbs& verbs);
void add_zar_import(const ZarVerbs& verbs);
void add_zar_trace(const ZarVerbs& verbs);
void add_zar_pack(const ZarVerbs& verbs);
void add_zar_blocks(const ZarVerbs& verbs);

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
