#include "harness/command_line.h"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "harness/context.h"
#include "models/nearest.h"

namespace missive::harness {
namespace {

CLI::Option* add_value(const Option& option, CLI::App& app) {
  return std::visit(
      [&](auto value) {
        if constexpr (std::is_same_v<typename decltype(value)::type, bool>)
          return app.add_flag(option.name, value.get(), option.what);
        else
          return app.add_option(option.name, value.get(), option.what);
      },
      option.value);
}

void add_option(const Option& option, CLI::App& app) {
  CLI::Option* added = add_value(option, app);
  const OptionRules& rules = option.rules;
  if (rules.required) added->required();
  if (!rules.one_of.empty()) added->check(CLI::IsMember(rules.one_of));
  if (rules.between) added->check(CLI::Range(rules.between->first, rules.between->second));
  if (!rules.default_text.empty()) added->default_str(rules.default_text);
  if (rules.separator != '\0') added->delimiter(rules.separator);
  if (rules.one_value_each) added->allow_extra_args(false);
}

// Verbs below take over what is set here before they are added: the footer.
void describe(const Verb& verb, CLI::App& app) {
  if (!verb.footer.empty()) app.footer(verb.footer);
  for (const Option& option : verb.options) add_option(option, app);
  for (const Option& option : verb.options)
    if (!option.rules.excludes.empty())
      app.get_option(option.name)->excludes(option.rules.excludes);
  if (verb.rest != nullptr) app.prefix_command();
  if (verb.hidden) app.group("");
  for (const Verb& sub : verb.verbs) {
    CLI::App* added = app.add_subcommand(sub.name, sub.what);
    added->allow_extras();  // refused below, with a suggestion
    if (!sub.verbs.empty() && !sub.action) added->require_subcommand(1);
    describe(sub, *added);
  }
}

// The parser of a program.
class Parser {
 public:
  explicit Parser(const Verb& program) : program_(program), app_(program.what, program.name) {
    app_.set_version_flag("--version", program.name + ' ' + version_text());
    app_.require_subcommand(0, 1);
    describe(program, app_);
  }

  Reading read(std::vector<std::string> words) {
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
    try {
      app_.parse(std::move(words));
    } catch (const CLI::CallForHelp&) {
      return {nullptr, help(named_words())};
    } catch (const CLI::CallForVersion& e) {
      return {nullptr, e.what() + std::string("\n")};
    } catch (const CLI::ParseError& e) {
      throw InputError(fmt::format("{}; {}", e.what(), see_help()));
    }
    return {take_rest(), {}};
  }

  std::string help(const std::vector<std::string>& path) const {
    const CLI::App* app = &app_;
    std::string before;
    for (const std::string& name : path) {
      before += (before.empty() ? "" : " ") + app->get_name();
      app = app->get_subcommand(name);
    }
    return app->help(before);
  }

 private:
  // The verbs that were named, from the outermost on.
  std::vector<std::string> named_words() const {
    std::vector<std::string> words;
    for (const CLI::App* app = &app_; !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      words.push_back(app->get_name());
    }
    return words;
  }

  std::string see_help() const {
    std::string verbs;
    for (const std::string& word : named_words()) verbs += word + ' ';
    return fmt::format("see '{} {}--help'", program_.name, verbs);
  }

  // What no option took: the verb's own, or wrong. Gives the innermost verb that was named.
  const Verb* take_rest() const {
    const Verb* verb = &program_;
    const CLI::App* app = &app_;
    for (const std::string& name : named_words()) {
      verb = verb->find_verb(name);
      app = app->get_subcommand(name);
      const std::vector<std::string> words = app->remaining();
      if (verb->rest != nullptr)
        *verb->rest = words;
      else if (!words.empty())
        refuse(words, *verb);
    }
    return verb;
  }

  [[noreturn]] void refuse(const std::vector<std::string>& words, const Verb& verb) const {
    // CLI11 lists a value before the flag it followed; the flag is what is wrong.
    auto wrong = std::find_if(words.begin(), words.end(),
                              [](const std::string& word) { return word.starts_with('-'); });
    if (wrong == words.end()) wrong = words.begin();
    std::vector<std::string> known{"--help"};
    for (const Option& option : verb.options)
      if (!option.by_place()) known.push_back(option.name);
    const std::string flag = wrong->substr(0, wrong->find('='));
    const bool is_option = wrong->starts_with('-');
    std::string hint = is_option ? did_you_mean(flag, known) : std::string{};
    if (hint.empty()) hint = "; " + see_help();
    throw InputError(
        fmt::format("{}: unknown {}{}", flag, is_option ? "option" : "argument", hint));
  }

  const Verb& program_;
  CLI::App app_;
};

}  // namespace

Reading read_words(const Verb& program, std::vector<std::string> words) {
  return Parser(program).read(std::move(words));
}

std::string help_text(const Verb& program, const std::vector<std::string>& path) {
  return Parser(program).help(path);
}

}  // namespace missive::harness
