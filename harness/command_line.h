#pragma once
// Words of a command line, read by the verbs that describe them (verb.h). CLI11 does it, known to
// command_line.cpp alone: its headers cost more to compile than most verbs.

#include <string>
#include <vector>

#include "harness/verb.h"

namespace missive::harness {

// What the words ask for.
struct Reading {
  const Verb* verb = nullptr;  // the innermost that was named; the program itself when none was
  std::string text;            // without a verb: --help or --version, only to be printed
};

// Gives the options of the named verbs their values. Throws InputError for words that are missing,
// wrong or unknown; of misspelt options it says which may have been meant.
Reading read_words(const Verb& program, std::vector<std::string> words);

// What --help says of the verb at `path`, {"zar", "ls"}; {} is the program. All of it must exist.
std::string help_text(const Verb& program, const std::vector<std::string>& path);

}  // namespace missive::harness
