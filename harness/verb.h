#pragma once
// A verb of the command line ("run", "doctor", "zar ls") as plain data: its options and what it
// does. A verb is one file, verb_<name>.cpp, and one line in verbs.cpp; from then on `--help`, the
// manual page, the shell completion and the suggestions for misspelt words know it: all of them
// walk over what is described here. command_line.h reads words by it.

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "harness/progress.h"
#include "models/error.h"

namespace missive::harness {

// Results go to `out`, everything said to the user meanwhile to `err`.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool progress = false, colour = false;  // what `err` can and may do
};

// Where an option's value goes; what is there before is the default. A bool becomes true where the
// option is named, and takes no value. A vector takes one value and all that follow it.
using OptionValue = std::variant<std::reference_wrapper<bool>, std::reference_wrapper<std::string>,
                                 std::reference_wrapper<int>, std::reference_wrapper<std::uint32_t>,
                                 std::reference_wrapper<std::uint64_t>,
                                 std::reference_wrapper<std::optional<std::int64_t>>,
                                 std::reference_wrapper<std::vector<std::string>>>;

// What is asked of an option's value. Whoever breaks a rule is told so, and pointed to --help.
struct OptionRules {
  bool required = false;
  std::vector<std::string> one_of = {};             // the words it may be; none: any
  std::optional<std::pair<int, int>> between = {};  // smallest and largest
  std::string default_text = {};                    // for --help; "": nothing is said
  std::string excludes = {};                        // an option of the same verb
  char separator = '\0';                            // of a vector: "a,b" are two values
  bool one_value_each = false;                      // of a vector: --set A --set B, not --set A B
};

struct Option {
  std::string name;  // "--jobs"; or "IMAGE", known by its place among those without dashes
  OptionValue value;
  std::string what;
  OptionRules rules = {};

  bool by_place() const { return !name.starts_with('-'); }
  bool takes_value() const { return !std::holds_alternative<std::reference_wrapper<bool>>(value); }
};

struct Verb {
  // Throws Error for everything that goes wrong.
  using Action = std::function<ExitStatus(Terminal&)>;

  Verb(std::string its_name, std::string does) : name(std::move(its_name)), what(std::move(does)) {}
  Verb(const Verb&) = delete;  // actions refer to what is in it
  Verb& operator=(const Verb&) = delete;

  std::string name, what;
  std::string footer;         // below --help; "": that of the verb above
  std::list<Option> options;  // in the order of --help
  std::list<Verb> verbs;      // "ls" of "zar"; addresses stay what they are
  // Takes the words that no option knows; from the first of them without a dash on, all words.
  std::vector<std::string>* rest = nullptr;
  bool hidden = false;  // not in the --help of the verb above
  // What it does once its options are read. Without an action, one of `verbs` has to be named; the
  // program itself says so in its own words.
  Action action;

  // A verb below this one.
  Verb& add(const std::string& its_name, const std::string& does);

  // `value` has to live as long as the verb: `action` owns what it refers to.
  void option(const std::string& its_name, OptionValue value, const std::string& does,
              const OptionRules& rules = {});

  // Null for what is not there.
  const Verb* find_verb(const std::string& wanted) const;
  const Option* find_option(const std::string& wanted) const;
};

// --format table|json|csv: what goes to `out`.
void add_format(Verb& verb, std::string& format);

// A progress line where the terminal can show one and nobody asked for --quiet.
Progress progress_for(const Terminal& terminal, bool quiet);

// Registers every verb, in the order of --help, and what is said below it (verbs.cpp).
void add_all_verbs(Verb& program);

}  // namespace missive::harness
