#include "harness/cli.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <new>
#include <set>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "harness/commands.h"
#include "harness/context.h"
#include "harness/diagnostic.h"
#include "models/nearest.h"

namespace missive::harness {
namespace {

constexpr const char* kFooter = R"(
Examples:
  missive-sim experiments/launch.json                     predict and measure, side by side
  missive-sim experiments/launch.json --backend sim       predict only
  missive-sim experiments/isolation-table.json            ways to isolate services, compared
  missive-sim run FILE --set /temperature=hot --profile kick
  missive-sim show FILE                                   the file with all defaults resolved
  missive-sim doctor                                      what this host can run

Exit status:
  0    done, and within tolerance
  1    a run failed; what was done is in the output folder
  2    wrong usage or a wrong input file; one line for each problem
  3    a tolerance or a claim does not hold
  4    cannot be judged on this host
  130  interrupted; what was done is in the output folder
)";

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
    app_.footer(kFooter);
    app_.set_version_flag("--version", "missive-sim " + version_text());
    app_.require_subcommand(0, 1);
    add_run("run", "run an experiment (the default: the word may be left out)", false);
    add_run("show", "print the experiment file with profile, --set and all defaults resolved",
            true);
    add_doctor();
    add_calibrate();
    add_validate();
    add_parameters();
    add_schema();
    add_zar();
    add_trace();
    add_domains();
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
    if (nothing || !action_)
      throw InputError("name an experiment file or a command; see 'missive-sim --help'");
    return action_();
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

  std::vector<std::string> verbs() const {
    std::vector<std::string> names;
    for (const CLI::App* sub : app_.get_subcommands({})) names.push_back(sub->get_name());
    return names;
  }

  bool is_verb(const std::string& word) const {
    const auto names = verbs();
    return std::find(names.begin(), names.end(), word) != names.end();
  }

  // The first word that is neither an option nor an option's value.
  static std::vector<std::string>::iterator first_word(std::vector<std::string>& words) {
    static const std::set<std::string> kWithValue{"--out",         "--backend", "--set",
                                                  "--repetitions", "--seed",    "--jobs",
                                                  "--profile",     "--format"};
    for (auto word = words.begin(); word != words.end(); ++word) {
      if (*word == "--") return word + 1 == words.end() ? words.end() : word + 1;
      if (!word->starts_with('-')) return word;
      if (kWithValue.contains(*word) && word + 1 != words.end()) ++word;
    }
    return words.end();
  }

  std::string no_such(const std::string& word) const {
    std::vector<std::string> candidates = verbs();
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
      if (extras.empty()) continue;
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

  CLI::App* add(const std::string& name, const std::string& what) {
    CLI::App* sub = app_.add_subcommand(name, what);
    sub->allow_extras();  // reported by refuse_extras, with a suggestion
    return sub;
  }

  void act(CLI::App* sub, std::function<ExitStatus()> action) {
    sub->callback([this, action = std::move(action)] { action_ = action; });
  }

  static CLI::Option* add_format(CLI::App* sub, std::string& format) {
    return sub->add_option("--format", format, "what goes to stdout: table, json or csv")
        ->check(CLI::IsMember({"table", "json", "csv"}))
        ->default_str("table");
  }

  void add_run(const char* name, const char* what, bool show) {
    auto command = std::make_shared<RunCommand>();
    CLI::App* sub = add(name, what);
    Overrides& o = command->overrides;
    sub->add_option("EXPERIMENT", command->file,
                    "experiment file (JSON; *.jsonc may have comments)")
        ->required();
    sub->add_option("--set", o.sets,
                    "POINTER=VALUE: give a key another value before the sweep; a swept key is "
                    "fixed (repeatable)")
        ->allow_extra_args(false);
    sub->add_option("--profile", o.profile, "how much of it: kick (a first look), short or full")
        ->check(CLI::IsMember({"kick", "short", "full"}));
    sub->add_option("--backend", o.backend, "who answers: sim, real or both")
        ->check(CLI::IsMember({"sim", "real", "both"}));
    sub->add_option("--repetitions", o.repetitions,
                    "real launches per point and native starts, or values per cell and process, "
                    "whatever the file says");
    sub->add_option("--seed", o.seed, "start of all random numbers");
    if (show) {
      act(sub, [this, command] { return show_command(*command, terminal_); });
      return;
    }
    sub->add_option("--out", command->out,
                    "folder for result.json, observations.csv, trace.json "
                    "(default: results/NAME)");
    sub->add_option("--jobs", command->jobs,
                    "simulated points at a time; real launches never overlap, they would "
                    "disturb each other")
        ->check(CLI::Range(1, 1024))
        ->default_str("1");
    add_format(sub, command->format);
    sub->add_flag("--quiet", command->quiet, "no progress, no notes");
    sub->add_flag("--dry-run", command->dry_run, "check everything, list the points, run nothing");
    sub->footer(kFooter);
    act(sub, [this, command] { return run_command(*command, terminal_); });
  }

  void add_doctor() {
    CLI::App* sub = add("doctor", "what this host can run, and why not");
    auto json = std::make_shared<bool>(false);
    sub->add_flag("--json", *json, "as JSON");
    act(sub, [this, json] { return doctor_command(*json, terminal_); });
  }

  void add_calibrate() {
    CLI::App* sub = add("calibrate", "measure this host's parameters by micro-measurements");
    auto command = std::make_shared<CalibrateCommand>();
    sub->add_option("--processes", command->processes, "processes that measure, one after another")
        ->check(CLI::Range(1, 1000));
    sub->add_option("--repetitions", command->repetitions,
                    "of every micro-measurement in each process")
        ->check(CLI::Range(1, 100000));
    sub->add_option("--seed", command->seed, "order and bootstrap");
    sub->add_option("--out", command->out, "file to write (default: this host's own)");
    add_format(sub, command->format);
    sub->add_flag("--quiet", command->quiet, "no progress, no notes");
    act(sub, [this, command] { return calibrate_command(*command, terminal_); });
  }

  void add_validate() {
    CLI::App* sub = add("validate", "check experiment and parameter files, run nothing");
    auto files = std::make_shared<std::vector<std::string>>();
    sub->add_option("FILE", *files, "files to check")->required();
    act(sub, [this, files] { return validate_command(*files, terminal_); });
  }

  void add_parameters() {
    CLI::App* sub = add("parameters", "print parameters with value, interval and provenance");
    auto file = std::make_shared<std::string>();
    auto format = std::make_shared<std::string>("table");
    auto published = std::make_shared<bool>(false);
    sub->add_option("FILE", *file,
                    "parameter file (default: this host's); with --published a word to look for");
    sub->add_flag("--published", *published, "print what others published, with the sources");
    add_format(sub, *format);
    act(sub, [this, file, format, published] {
      return *published ? published_command(*file, *format, terminal_)
                        : parameters_command(*file, *format, terminal_);
    });
  }

  void add_schema() {
    CLI::App* sub = add("schema", "print the JSON Schema of experiment files");
    act(sub, [this] { return schema_command(terminal_); });
  }

  void add_zar() {
    CLI::App* zar = app_.add_subcommand("zar", "build, list and verify application images");
    zar->require_subcommand(1);
    CLI::App* build = zar->add_subcommand("build", "pack a directory tree into an image");
    build->allow_extras();
    auto command = std::make_shared<ZarBuildCommand>();
    build->add_option("TREE", command->tree, "directory")->required();
    build->add_option("IMAGE", command->image, "file to write")->required();
    build->add_option("--application", command->application,
                      "only the files its recorded start opens");
    build->add_option("--block-size", command->block_size, "power of two, 4KiB to 1MiB")
        ->default_str("64KiB");
    build->add_option("--degree", command->degree, "children of a tree node")
        ->check(CLI::Range(2, 256))
        ->default_str("128");
    build->add_flag("--no-packing", command->no_packing, "every file starts on a page");
    act(build, [this, command] { return zar_build_command(*command, terminal_); });

    auto image = std::make_shared<std::string>();
    auto name = std::make_shared<std::string>();
    CLI::App* ls = zar->add_subcommand("ls", "list an image: mode, size, offset, path");
    ls->allow_extras();
    ls->add_option("IMAGE", *image, "image file")->required();
    act(ls, [this, image] { return zar_ls_command(*image, terminal_); });
    CLI::App* verify = zar->add_subcommand("verify", "hash an image and print or check its name");
    verify->allow_extras();
    verify->add_option("IMAGE", *image, "image file")->required();
    verify->add_option("NAME", *name, "what its name must be, 64 hexadecimal digits");
    act(verify, [this, image, name] { return zar_verify_command(*image, *name, terminal_); });
  }

  void add_trace() {
    CLI::App* sub = add("trace", "print what a recorded application start did, or record one");
    auto command = std::make_shared<TraceCommand>();
    sub->add_option("APPLICATION", command->what, "registered application, or a .trace.gz file")
        ->required();
    sub->add_flag("--json", command->json, "as JSON");
    sub->add_option("--record", command->record,
                    "start the application and write its trace to this file (.trace.gz)");
    act(sub, [this, command] { return trace_command(*command, terminal_); });
  }

  void add_domains() {
    CLI::App* domains = app_.add_subcommand("domains", "list isolation mechanisms, or call one");
    domains->require_subcommand(1);
    auto command = std::make_shared<DomainsRunCommand>();
    CLI::App* list = domains->add_subcommand("list", "name, whether it runs here, what it claims");
    list->allow_extras();
    add_format(list, command->format);
    act(list, [this, command] { return domains_list_command(command->format, terminal_); });
    CLI::App* run = domains->add_subcommand("run", "create one domain and call it");
    run->allow_extras();
    run->add_option("NAME", command->name, "mechanism, as listed")->required();
    run->add_option("--entry", command->entry,
                    "what it computes: null, hash, sort, json_scan, lookup, walk, sum")
        ->default_str("hash");
    run->add_option("--size", command->size, "bytes of the request")->default_str("4KiB");
    run->add_option("--calls", command->calls, "timed calls")
        ->check(CLI::Range(1, 10'000'000))
        ->default_str("1000");
    add_format(run, command->format);
    act(run, [this, command] { return domains_run_command(*command, terminal_); });
  }

  Terminal& terminal_;
  CLI::App app_{
      "missive-sim: what a launch from an untrusted cache costs, predicted and measured "
      "side by side.",
      "missive-sim"};
  std::function<ExitStatus()> action_;
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
