#pragma once
// A verb of the command line ("run", "doctor", "zar ls"): its options and what it does. A verb is
// one file, verb_<name>.cpp, and one line in verbs.cpp; from then on `--help`, the shell completion
// and the suggestions for misspelt words know it.

#include <functional>
#include <ostream>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "harness/progress.h"
#include "models/error.h"

namespace missive::harness {

// Results go to `out`, everything said to the user meanwhile to `err`.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool progress = false, colour = false;  // what `err` can and may do
};

// What a verb adds itself to.
class Verbs {
 public:
  using Action = std::function<ExitStatus(Terminal&)>;

  explicit Verbs(CLI::App& app) : app_(app) {}

  // A verb of the program, or of the verb `parent`. What it does not know is refused with a
  // suggestion.
  CLI::App* add(const std::string& name, const std::string& what);
  static CLI::App* add(CLI::App* parent, const std::string& name, const std::string& what);

  // What the verb does once its options are read. It throws Error for everything that goes wrong.
  void act(CLI::App* verb, Action action);

  // The action of the verb that was named; empty when there was none.
  const Action& chosen() const { return chosen_; }

 private:
  CLI::App& app_;
  Action chosen_;
};

// What the verbs below another one ("zar ls", "cache gc") add themselves to.
struct SubVerbs {
  Verbs& verbs;
  CLI::App* parent;

  CLI::App* add(const std::string& name, const std::string& what) const {
    return Verbs::add(parent, name, what);
  }
  void act(CLI::App* verb, Verbs::Action action) const { verbs.act(verb, std::move(action)); }
};

// --format table|json|csv: what goes to `out`.
CLI::Option* add_format(CLI::App* verb, std::string& format);

// A progress line where the terminal can show one and nobody asked for --quiet.
Progress progress_for(const Terminal& terminal, bool quiet);

// Registers every verb, in the order of --help (verbs.cpp).
void add_all_verbs(Verbs& verbs);

// Examples and exit statuses, below --help.
extern const char* const kHelpFooter;

}  // namespace missive::harness
