#include "harness/cli.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <new>

#include <unistd.h>

#include <fmt/format.h>

#include "harness/command_line.h"
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

// The verbs, and what the words do with them.
class Interface {
 public:
  explicit Interface(Terminal& terminal) : terminal_(terminal) { add_all_verbs(program_); }

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

  ExitStatus read_and_run(std::vector<std::string> words) {
    const Reading reading = read_words(program_, std::move(words));
    if (reading.verb == nullptr) {
      terminal_.out << reading.text;
      return ExitStatus::ok;
    }
    if (!reading.verb->action)
      throw InputError("name an experiment file or a command; see 'missive-sim --help'");
    return reading.verb->action(terminal_);
  }

 private:
  bool is_verb(const std::string& word) const { return program_.find_verb(word) != nullptr; }

  // The first word that is neither an option nor the value of one of `run`'s options.
  std::vector<std::string>::iterator first_word(std::vector<std::string>& words) const {
    const Verb* run = program_.find_verb("run");
    const auto takes_value = [run](const std::string& word) {
      const Option* option = run->find_option(word);
      return option != nullptr && option->takes_value();
    };
    for (auto word = words.begin(); word != words.end(); ++word) {
      if (*word == "--") return word + 1 == words.end() ? words.end() : word + 1;
      if (!word->starts_with('-')) return word;
      if (takes_value(*word) && word + 1 != words.end()) ++word;
    }
    return words.end();
  }

  std::string no_such(const std::string& word) const {
    std::vector<std::string> candidates;
    for (const Verb& verb : program_.verbs) candidates.push_back(verb.name);
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

  Terminal& terminal_;
  Verb program_{"missive-sim",
                "missive-sim: what a launch from an untrusted cache costs, predicted and measured "
                "side by side."};
};

ExitStatus run_all(int argc, const char* const* argv, Terminal& terminal) {
  Interface interface(terminal);
  const ExitStatus status = interface.read_and_run(interface.arguments(argc, argv));
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
