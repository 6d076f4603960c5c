// The verbs `help`, `man` and `completion`: the program described by itself.

#include <memory>

#include <fmt/format.h>

#include "harness/command_docs.h"
#include "harness/key_help.h"
#include "harness/verb_list.h"

namespace missive::harness {
namespace {

void list_everything(const CLI::App& app, std::ostream& out) {
  out << "Commands (missive-sim help COMMAND):\n";
  for (const CLI::App* sub : app.get_subcommands(nullptr))
    out << fmt::format("  {:<12} {}\n", sub->get_name(), sub->get_description());
  out << "\nKeys of experiment files (missive-sim help KEY):\n";
  std::string last;
  for (const KeyHelp& key : all_keys())
    if (key.key != last) {
      out << "  " << key.key << '\n';
      last = key.key;
    }
}

ExitStatus help(const CLI::App& app, const std::string& word, std::ostream& out) {
  if (word.empty()) {
    list_everything(app, out);
    return ExitStatus::ok;
  }
  for (const CLI::App* sub : app.get_subcommands(nullptr))
    if (sub->get_name() == word) {
      out << sub->help("missive-sim");
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

void add_help_verb(Verbs& verbs) {
  auto word = std::make_shared<std::string>();
  CLI::App* verb = verbs.add("help", "explain a key of experiment files, or a command");
  verb->add_option("KEY", *word,
                   "a key (image.block_size, block_size) or a command; without it, "
                   "all of them are listed");
  verb->footer(
      "\nExamples:\n"
      "  missive-sim help block_size\n"
      "  missive-sim help tolerance.phase\n"
      "  missive-sim help run\n");
  const CLI::App* app = verb->get_parent();
  verbs.act(verb, [word, app](Terminal& terminal) { return help(*app, *word, terminal.out); });
}

void add_man_verb(Verbs& verbs) {
  CLI::App* verb = verbs.add("man", "print the manual page, for man(1)");
  verb->footer("\nExample:\n  missive-sim man | man -l -\n");
  const CLI::App* app = verb->get_parent();
  verbs.act(verb, [app](Terminal& terminal) {
    terminal.out << man_page(*app);
    return ExitStatus::ok;
  });
}

void add_completion_verb(Verbs& verbs) {
  CLI::App* verb = verbs.add("completion", "print the completion of bash");
  verb->footer("\nExample:\n  source <(missive-sim completion)\n");
  const CLI::App* app = verb->get_parent();
  verbs.act(verb, [app](Terminal& terminal) {
    terminal.out << bash_completion(*app);
    return ExitStatus::ok;
  });
}

}  // namespace missive::harness
