// The verbs `help`, `man` and `completion`: the program described by itself.

#include <memory>

#include <fmt/format.h>

#include "harness/command_docs.h"
#include "harness/command_line.h"
#include "harness/key_help.h"
#include "harness/verb_list.h"

namespace missive::harness {
namespace {

void list_everything(const Verb& program, std::ostream& out) {
  out << "Commands (missive-sim help COMMAND):\n";
  for (const Verb& verb : program.verbs) out << fmt::format("  {:<12} {}\n", verb.name, verb.what);
  out << "\nKeys of experiment files (missive-sim help KEY):\n";
  std::string last;
  for (const KeyHelp& key : all_keys())
    if (key.key != last) {
      out << "  " << key.key << '\n';
      last = key.key;
    }
}

ExitStatus help(const Verb& program, const std::string& word, std::ostream& out) {
  if (word.empty()) {
    list_everything(program, out);
    return ExitStatus::ok;
  }
  if (program.find_verb(word) != nullptr) {
    out << help_text(program, {word});
    return ExitStatus::ok;
  }
  bool first = true;
  for (const KeyHelp& key : find_keys(word)) {
    out << (first ? "" : "\n") << text_of(key);
    first = false;
  }
  return ExitStatus::ok;
}

}  // namespace

void add_help_verb(Verb& program) {
  auto word = std::make_shared<std::string>();
  Verb& verb = program.add("help", "explain a key of experiment files, or a command");
  verb.option("KEY", *word,
              "a key (image.block_size, block_size) or a command; without it, "
              "all of them are listed");
  verb.footer =
      "\nExamples:\n"
      "  missive-sim help block_size\n"
      "  missive-sim help tolerance.phase\n"
      "  missive-sim help run\n";
  verb.action = [word, &program](Terminal& terminal) { return help(program, *word, terminal.out); };
}

void add_man_verb(Verb& program) {
  Verb& verb = program.add("man", "print the manual page, for man(1)");
  verb.footer = "\nExample:\n  missive-sim man | man -l -\n";
  verb.action = [&program](Terminal& terminal) {
    terminal.out << man_page(program);
    return ExitStatus::ok;
  };
}

void add_completion_verb(Verb& program) {
  Verb& verb = program.add("completion", "print the completion of bash");
  verb.footer = "\nExample:\n  source <(missive-sim completion)\n";
  verb.action = [&program](Terminal& terminal) {
    terminal.out << bash_completion(program);
    return ExitStatus::ok;
  };
}

}  // namespace missive::harness
