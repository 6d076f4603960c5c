#include "harness/cli.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <new>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "harness/context.h"
#include "harness/diagnostic.h"
#include "harness/verb.h"
#include "models/nearest.h"

namespace missive::harness {
namespace {

// Terminal control characters in somebody's file must not reach the terminal.
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

void print_error(std::ostream& err, const std::string& message) {
  std::size_t begin = 0;
  while (begin <= message.size()) {
    const auto end = std::min(message.find('\n', begin), message.size());
    err << "missive-sim: " << printable(message.substr(begin, end - begin)) << '\n';
    begin = end + 1;
  }
  err << std::flush;
}

// The parser and the options it fills.
class Interface {
 public:
  explicit Interface(Terminal& terminal) : terminal_(terminal) {
    app_.footer(kHelpFooter);
    app_.set_version_flag("--version", "missive-sim " + version_text());
    app_.require_subcommand(0, 1);
    add_all_verbs(verbs_);
  }

  // Words that are not verbs of this program, in the order `run` comes to mean them.
  std::vector<std::string> arguments(int argc, const char* const* argv) const {
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    const auto first = first_word(words);
    if (first == words.end()) return words;
    if (is_verb(*first)) {
      const std::string verb = *first;
      words.erase(first);
      words.insert(words.begin(), verb);
      return words;
    }
    if (!std::filesystem::exists(*first)) throw InputError(no_such(*first));
    words.insert(words.begin(), "run");
    return words;
  }

  ExitStatus parse_and_run(std::vector<std::string> words) {
    const bool nothing = words.empty();
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
    try {
      app_.parse(std::move(words));
    } catch (const CLI::CallForHelp&) {
      terminal_.out << help();
      return ExitStatus::ok;
    } catch (const CLI::CallForAllHelp&) {
      terminal_.out << help();
      return ExitStatus::ok;
    } catch (const CLI::CallForVersion& e) {
      terminal_.out << e.what() << '\n';
      return ExitStatus::ok;
    } catch (const CLI::ParseError& e) {
      throw InputError(fmt::format("{}; see 'missive-sim {}--help'", e.what(), verb_words()));
    }
    refuse_extras(&app_);
    if (nothing || !verbs_.chosen())
      throw InputError("name an experiment file or a command; see 'missive-sim --help'");
    return verbs_.chosen()(terminal_);
  }

 private:
  std::string help() {
    CLI::App* app = active();
    return app->help(app == &app_ ? std::string{} : "missive-sim" + prefix(app));
  }

  static std::string prefix(const CLI::App* sub) {
    return sub->get_parent()->get_parent() == nullptr ? std::string{}
                                                      : " " + sub->get_parent()->get_name();
  }

  // The innermost command the words name.
  CLI::App* active() {
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return app;
  }

  std::string verb_words() {
    std::string words;
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
      words += app->get_name();
      words += ' ';
    }
    return words;
  }

  std::vector<std::string> verb_names() const {
    std::vector<std::string> names;
    for (const CLI::App* sub : app_.get_subcommands({})) names.push_back(sub->get_name());
    return names;
  }

  bool is_verb(const std::string& word) const {
    const auto names = verb_names();
    return std::find(names.begin(), names.end(), word) != names.end();
  }

  // The first word that is neither an option nor the value of one of `run`'s options.
  std::vector<std::string>::iterator first_word(std::vector<std::string>& words) const {
    const CLI::App* run = app_.get_subcommand("run");
    const auto takes_value = [run](const std::string& word) {
      const CLI::Option* option = run->get_option_no_throw(word);
      return option != nullptr && option->get_items_expected_max() > 0;
    };
    for (auto word = words.begin(); word != words.end(); ++word) {
      if (*word == "--") return word + 1 == words.end() ? words.end() : word + 1;
      if (!word->starts_with('-')) return word;
      if (takes_value(*word) && word + 1 != words.end()) ++word;
    }
    return words.end();
  }

  std::string no_such(const std::string& word) const {
    std::vector<std::string> candidates = verb_names();
    std::error_code error;
    for (const char* folder : {".", "experiments"})
      for (const auto& entry : std::filesystem::directory_iterator(folder, error))
        if (entry.path().extension() == ".json") {
          const auto name = entry.path().lexically_normal();
          if (name.stem() == word || name.filename() == word)
            return fmt::format("{}: no such file and no such command; did you mean '{}'?", word,
                               name.string());
          candidates.push_back(name.string());
        }
    std::string hint = did_you_mean(word, candidates);
    if (hint.empty()) hint = "; name an experiment file, or see 'missive-sim --help'";
    return fmt::format("{}: no such file and no such command{}", word, hint);
  }

  void refuse_extras(CLI::App* app) {
    for (; app != nullptr;
         app = app->get_subcommands().empty() ? nullptr : app->get_subcommands().front()) {
      std::vector<std::string> extras = app->remaining(false);
      if (extras.empty() || app->get_prefix_command()) continue;
      // CLI11 lists a value before the flag it followed; the flag is what is wrong.
      auto wrong = std::find_if(extras.begin(), extras.end(),
                                [](const std::string& word) { return word.starts_with('-'); });
      if (wrong == extras.end()) wrong = extras.begin();
      std::vector<std::string> known{"--help"};
      for (const CLI::Option* option : app->get_options())
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      const std::string flag = wrong->substr(0, wrong->find('='));
      std::string hint = wrong->starts_with('-') ? did_you_mean(flag, known) : std::string{};
      if (hint.empty()) hint = fmt::format("; see 'missive-sim {}--help'", verb_words());
      throw InputError(fmt::format("{}: unknown {}{}", flag,
                                   wrong->starts_with('-') ? "option" : "argument", hint));
    }
  }

  Terminal& terminal_;
  CLI::App app_{
      "missive-sim: what a launch from an untrusted cache costs, predicted and measured "
      "side by side.",
      "missive-sim"};
  Verbs verbs_{app_};
};

ExitStatus run_all(int argc, const char* const* argv, Terminal& terminal) {
  Interface interface(terminal);
  const ExitStatus status = interface.parse_and_run(interface.arguments(argc, argv));
  terminal.out.flush();
  if (!terminal.out) throw RunError("standard output: cannot be written; the results are in files");
  return status;
}

}  // namespace

int cli_main(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  const bool terminal_err = &err == &std::cerr && ::isatty(STDERR_FILENO) == 1;
  const bool colour = terminal_err && colour_wanted();
  Terminal terminal{out, err, terminal_err, colour};
  ExitStatus status = ExitStatus::run_failed;
  try {
    status = run_all(argc, argv, terminal);
  } catch (const Error& e) {
    print_error(err, e.what());
    status = e.status();
  } catch (const std::bad_alloc&) {
    print_error(err, "out of memory; use fewer points, or a host with more");
  } catch (const std::exception& e) {
    print_error(err, fmt::format("internal error: {}; please report it", e.what()));
  }
  return static_cast<int>(status);
}

}  // namespace missive::harness
