#pragma once
// The command line described by itself: man page and bash completion are made by walking over its
// verbs and options, so that neither can fall behind.

#include <string>

#include "harness/verb.h"

namespace missive::harness {

// A page for section 1 of the manual, in the macros of man(7).
std::string man_page(const Verb& program);

// Commands, options and the values of options that have a fixed list; files otherwise.
std::string bash_completion(const Verb& program);

}  // namespace missive::harness
