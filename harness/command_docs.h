#pragma once
// The command line described by itself: man page and bash completion are made by walking over its
// commands and options, so that neither can fall behind.

#include <string>

#include <CLI/CLI.hpp>

namespace missive::harness {

// A page for section 1 of the manual, in the macros of man(7).
std::string man_page(const CLI::App& app);

// Commands, options and the values of options that have a fixed list; files otherwise.
std::string bash_completion(const CLI::App& app);

}  // namespace missive::harness
