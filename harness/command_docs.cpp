#include "harness/command_docs.h"

#include <algorithm>
#include <functional>
#include <vector>

#include <fmt/format.h>

#include "harness/key_help.h"

// MISSIVE_VERSION comes from CMakeLists.txt.

namespace missive::harness {
namespace {

using Visit = std::function<void(const std::string& path, const Verb& verb)>;

// The program itself has the path "", a verb " run", a verb's verb " zar ls".
void walk(const Verb& verb, const std::string& path, const Visit& visit) {
  visit(path, verb);
  for (const Verb& sub : verb.verbs) walk(sub, path + ' ' + sub.name, visit);
}

// Text for troff: nothing in it is a request, and '-' is the one of the keyboard.
std::string roff(const std::string& text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_start = c == '\n';
  }
  return out;
}

// Paragraphs of preformatted text, without blank lines at its ends.
std::string verbatim(std::string text) {
  while (!text.empty() && text.front() == '\n') text.erase(0, 1);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.empty()) return {};
  return ".nf\n" + roff(text) + "\n.fi\n";
}

std::string option_entry(const Option& option) {
  std::string head = option.name;
  if (!option.by_place() && option.takes_value()) {
    const auto& words = option.rules.one_of;
    head += words.empty() ? " VALUE" : fmt::format(" {}", fmt::join(words, "|"));
  }
  return ".TP\n.B " + roff(head) + '\n' + roff(option.what) + '\n';
}

std::string verb_section(const std::string& path, const Verb& verb) {
  std::string text = ".SS missive\\-sim" + roff(path) + '\n' + roff(verb.what) + '\n';
  for (const Option& option : verb.options) text += option_entry(option);
  if (!verb.footer.empty()) text += ".PP\n" + verbatim(verb.footer);
  return text;
}

std::string key_entry(const KeyHelp& key) {
  std::string text = ".TP\n.B " + roff(key.key) + '\n' + roff(key.description) + '\n';
  std::string facts;
  const auto fact = [&](const char* what, const std::string& value) {
    if (!value.empty()) facts += fmt::format("{}{}: {}", facts.empty() ? "" : "; ", what, value);
  };
  fact("type", key.type);
  fact("default", key.default_value);
  fact("range", key.range);
  std::string kinds;
  for (const std::string& kind : key.kinds) kinds += (kinds.empty() ? "" : ", ") + kind;
  fact("kind", kinds);
  return text + roff(facts) + '\n';
}

}  // namespace

std::string man_page(const Verb& program) {
  std::string text = fmt::format(
      ".TH MISSIVE\\-SIM 1 \"\" \"missive\\-sim {}\" \"User Commands\"\n"
      ".SH NAME\nmissive\\-sim \\- launch and isolation costs, predicted and measured side by "
      "side\n"
      ".SH SYNOPSIS\n.B missive\\-sim\n.I EXPERIMENT.json\n[\\fIOPTION\\fR ...]\n.br\n"
      ".B missive\\-sim\n.I COMMAND\n[\\fIOPTION\\fR ...] [\\fIARGUMENT\\fR ...]\n"
      ".SH DESCRIPTION\n{}\nA first word that is no command is an experiment file: the command is "
      "then\n.BR run .\n.SH COMMANDS\n",
      MISSIVE_VERSION, roff(program.what));
  walk(program, "", [&](const std::string& path, const Verb& verb) {
    if (!path.empty()) text += verb_section(path, verb);
  });
  text += ".SH \"EXAMPLES AND EXIT STATUS\"\n" + verbatim(program.footer);
  text += ".SH \"KEYS OF EXPERIMENT FILES\"\n";
  for (const KeyHelp& key : all_keys()) text += key_entry(key);
  text +=
      ".SH ENVIRONMENT\n"
      ".TP\n.B MISSIVE_HOME\nWhere calibrations and built images are kept.\n"
      ".TP\n.B MISSIVE_DATA_DIR\nFolder that holds the program's experiments/ and traces/.\n"
      ".TP\n.B NO_COLOR\nPresent and not empty: no colour.\n"
      ".SH FILES\n"
      ".TP\n.I results/NAME/report.html\nThe result as a page; it works offline.\n"
      ".TP\n.I results/NAME/result.json\nThe result, \"missive\\-sim/result/1\".\n"
      ".TP\n.I results/NAME/observations.csv\nEvery repetition.\n"
      ".TP\n.I results/NAME/trace.json\nSimulated and measured launches on one time axis, for\n"
      "ui.perfetto.dev.\n";
  return text;
}

std::string bash_completion(const Verb& program) {
  std::string known, values, words;
  walk(program, "", [&](const std::string& path, const Verb& verb) {
    if (!path.empty()) known += (known.empty() ? "" : "|") + ('"' + path + '"');
    std::string commands, options = path.empty() ? "-h --help --version" : "-h --help";
    for (const Verb& sub : verb.verbs) commands += (commands.empty() ? "" : " ") + sub.name;
    for (const Option& option : verb.options) {
      if (option.by_place()) continue;
      options += ' ' + option.name;
      if (const auto& choices = option.rules.one_of; !choices.empty())
        values += fmt::format("    \"{} {}\") words=\"{}\" ;;\n", path, option.name,
                              fmt::join(choices, " "));
    }
    words +=
        fmt::format("    \"{}\") commands=\"{}\" options=\"{}\" ;;\n", path, commands, options);
  });
  return fmt::format(R"(# bash completion of missive-sim; made by: missive-sim completion
_missive_sim() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  local path="" words="" commands="" options="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${{COMP_WORDS[i]}}" in
      {}) path="$path ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$path $prev" in
{}  esac
  case "$path" in
{}  esac
  if [[ -z $words ]]; then
    if [[ $cur == -* ]]; then words=$options; else words=$commands; fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o bashdefault -o default -F _missive_sim missive-sim
)",
                     known, values, words);
}

}  // namespace missive::harness
