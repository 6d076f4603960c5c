#pragma once
// What the schema says of the keys of experiment files, for people: `help KEY` and the man page.

#include <string>
#include <vector>

namespace missive::harness {

struct KeyHelp {
  std::string key;                 // "image.block_size"
  std::vector<std::string> kinds;  // of experiments that have it so
  std::string description;
  std::string type, default_value, range;  // in words; empty where there is none
  bool per_point = false;                  // may be swept
};

// Every key of every kind, in the order of the schema; keys that two kinds have alike once.
std::vector<KeyHelp> all_keys();

// Those that `word` means: "image.block_size", "/image/block_size", or its last part,
// "block_size". Throws InputError with the nearest key when there is none.
std::vector<KeyHelp> find_keys(const std::string& word);

// A few lines of at most 100 columns.
std::string text_of(const KeyHelp& key);

}  // namespace missive::harness
