#include "harness/reproduce.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <span>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "harness/claim_text.h"
#include "harness/context.h"
#include "harness/progress.h"
#include "models/nearest.h"
#include "real/data_dir.h"
#include "real/fd.h"
#include "real/process.h"
#include "real/zar/digest.h"

namespace missive::harness {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// An experiment that is told to stop keeps what it has and takes its domains and mounts down.
constexpr std::chrono::seconds kPatience{30};

// A child that runs another program, its output in a file. Killed when this object goes.
class ProgramRun {
 public:
  ProgramRun(const fs::path& program, const std::vector<std::string>& arguments,
             const fs::path& output)
      : name_(program.string()) {
    const UniqueFd log(::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!log)
      throw InputError(fmt::format("{}: cannot be written ({}); choose another --out",
                                   output.string(), std::strerror(errno)));
    std::vector<std::string> words{name_};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0)
      throw RunError(fmt::format("{}: cannot be started ({}); close other programs", name_,
                                 std::strerror(errno)));
    if (pid_ == 0) {
      // Only async-signal-safe calls from here to exec (signal-safety(7)).
      ::prctl(PR_SET_PDEATHSIG, SIGINT);
      if (::getppid() != parent) ::_exit(127);
      ::dup2(log.get(), STDOUT_FILENO);
      ::dup2(log.get(), STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ProgramRun(const ProgramRun&) = delete;
  ProgramRun& operator=(const ProgramRun&) = delete;
  ~ProgramRun() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void interrupt() const { ::kill(pid_, SIGINT); }
  void kill_now() const { ::kill(pid_, SIGKILL); }

  // Whether it has ended; then `status` is its exit status, 128 + N for signal N.
  bool ended(int& status) {
    int raw = 0;
    if (::waitpid(pid_, &raw, WNOHANG) != pid_) return false;
    pid_ = -1;
    status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return true;
  }

 private:
  std::string name_;
  pid_t pid_ = -1;
};

std::string read_text(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of("\n ");
  if (end == std::string::npos) return "it said nothing";
  const auto begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

ExitStatus status_of(int status) {
  switch (status) {
    case 0:
      return ExitStatus::ok;
    case 2:
      return ExitStatus::bad_input;
    case 3:
      return ExitStatus::claim_failed;
    case 4:
      return ExitStatus::not_available;
    case 130:
      return ExitStatus::interrupted;
    default:
      return ExitStatus::run_failed;
  }
}

bool finished(ExitStatus status) {
  return status == ExitStatus::ok || status == ExitStatus::claim_failed ||
         status == ExitStatus::not_available;
}

// A result that is whole and of this program's schema; null for anything else.
Json load_result(const fs::path& file) {
  Json result = Json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
  if (!result.is_object() || result.value("schema", Json()) != "missive-sim/result/1")
    return nullptr;
  return result;
}

class ReproduceRun {
 public:
  ReproduceRun(const ClaimsFile& claims, const ReproduceOptions& options, const OutputDir& out)
      : claims_(claims),
        options_(options),
        out_(out),
        selected_(select_claims(claims, options.claims)),
        program_(options.program.empty() ? fs::read_symlink("/proc/self/exe") : options.program) {}

  Reproduction run() {
    if (options_.resume) journal_ = read_journal();
    write_journal();
    for (const ClaimExperiment& e : needed_experiments(claims_, selected_)) {
      if (interrupt_requested()) reproduction_.interrupted = true;
      if (reproduction_.interrupted) break;
      reproduction_.experiments.push_back(kept(e) ? keep(e) : run(e));
    }
    judge_claims();
    write_files();
    return std::move(reproduction_);
  }

 private:
  // What makes a finished experiment the same as the one that would run now.
  Json identity(const ClaimExperiment& e) const {
    const std::string text = read_text(data_dir() / "experiments" / e.file);
    return Json{{"file_sha256", zar::to_hex(zar::sha256(std::as_bytes(std::span(text))))},
                {"profile", options_.profile},
                {"options", options_of(e)},
                {"program", version_text()}};
  }

  Json read_journal() const {
    const fs::path file = out_.path() / "reproduce.json";
    if (!fs::exists(file)) return Json::object();
    const Json journal = Json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
    if (!journal.is_object() || journal.value("format", Json()) != "missive-sim/reproduce/1" ||
        !journal["experiments"].is_object())
      throw InputError(file.string() +
                       ": is no journal of this program; remove it, or leave --resume out");
    return journal["experiments"];
  }

  void write_journal() const {
    out_.write("reproduce.json", Json{{"format", "missive-sim/reproduce/1"},
                                      {"claims_sha256", claims_.sha256},
                                      {"profile", options_.profile},
                                      {"experiments", journal_}}
                                         .dump(2) +
                                     '\n');
  }

  bool kept(const ClaimExperiment& e) const {
    const auto entry = journal_.find(e.name);
    return entry != journal_.end() && entry->value("identity", Json()) == identity(e) &&
           !load_result(out_.path() / e.name / "result.json").is_null();
  }

  ReproducedExperiment keep(const ClaimExperiment& e) const {
    const Json& entry = journal_.at(e.name);
    note(fmt::format("{} {}: kept, it was finished before", e.id, e.name));
    return {e.name, status_of(entry.at("status")), entry.at("seconds"), true, {}};
  }

  std::vector<std::string> options_of(const ClaimExperiment& e) const {
    const ClaimRun& run = e.profiles.at(options_.profile);
    std::vector<std::string> words{"--quiet"};
    if (!run.profile.empty()) words.insert(words.end(), {"--profile", run.profile});
    if (run.repetitions)
      words.insert(words.end(), {"--repetitions", std::to_string(*run.repetitions)});
    for (const std::string& set : run.sets) words.insert(words.end(), {"--set", set});
    return words;
  }

  ReproducedExperiment run(const ClaimExperiment& e) {
    const OutputDir folder(out_.path() / e.name);
    std::error_code ignored;
    fs::remove(folder.path() / "result.json", ignored);  // of an earlier run
    std::vector<std::string> words{"run", (data_dir() / "experiments" / e.file).string()};
    for (const std::string& word : options_of(e)) words.push_back(word);
    words.insert(words.end(), {"--out", folder.path().string()});
    const auto begin = Clock::now();
    const auto seconds = [&] {
      return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    const int status = wait_for(words, folder, e, seconds);
    ReproducedExperiment done{e.name, status_of(status), seconds(), false, {}};
    if (!finished(done.status)) done.message = last_line(read_text(folder.path() / "output.txt"));
    if (finished(done.status)) {
      journal_[e.name] =
          Json{{"identity", identity(e)}, {"status", status}, {"seconds", done.seconds}};
      write_journal();
    }
    note(fmt::format("{} {}: {:.0f} s (expected {:.0f} s)", e.id, e.name, done.seconds,
                     e.profiles.at(options_.profile).minutes * 60));
    return done;
  }

  template <typename Seconds>
  int wait_for(const std::vector<std::string>& words, const OutputDir& folder,
               const ClaimExperiment& e, const Seconds& seconds) {
    ProgramRun child(program_, words, folder.path() / "output.txt");
    int status = 0;
    bool told = false;
    Clock::time_point deadline;
    while (!child.ended(status)) {
      if (interrupt_requested() && !told) {
        child.interrupt();
        told = true;
        reproduction_.interrupted = true;
        deadline = Clock::now() + kPatience;
      }
      if (told && Clock::now() > deadline) child.kill_now();
      report(fmt::format("{} {}: {:.0f} of about {:.0f} s", e.id, e.name, seconds(),
                         e.profiles.at(options_.profile).minutes * 60));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return status;
  }

  void judge_claims() {
    std::map<std::string, Json> results;
    for (const Claim& claim : selected_) {
      if (!claim.experiment.empty() && !results.contains(claim.experiment))
        results[claim.experiment] = load_result(out_.path() / claim.experiment / "result.json");
      ClaimVerdict v = judge(claim, claim.experiment.empty() ? Json() : results[claim.experiment]);
      if (v.verdict == Verdict::not_run) explain(claim, v);
      reproduction_.verdicts.push_back(std::move(v));
    }
  }

  // Why the experiment has no result.
  void explain(const Claim& claim, ClaimVerdict& v) const {
    for (const ReproducedExperiment& e : reproduction_.experiments)
      if (e.name == claim.experiment && !e.message.empty() && !v.measured && !v.simulated)
        v.why = e.status == ExitStatus::interrupted
                    ? fmt::format("experiment '{}' was interrupted", e.name)
                    : fmt::format("experiment '{}' failed: {}", e.name, e.message);
  }

  void write_files() const {
    const auto& verdicts = reproduction_.verdicts;
    Json context = host_context();
    Json times = Json::object();
    for (const ReproducedExperiment& e : reproduction_.experiments) times[e.name] = e.seconds;
    Json document = verdicts_json(claims_, verdicts, context);
    document["profile"] = options_.profile;
    document["seconds"] = times;
    out_.write("verdicts.json",
               document.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
    out_.write("claims.md", claims_markdown(claims_, verdicts, false));
    out_.write("claims.csv", claims_csv(claims_, verdicts));
    out_.write("appendix.md", appendix(context));
  }

  std::string appendix(const Json& context) const {
    const auto text = [&](const char* key) {
      const Json value = context.value(key, Json());
      return value.is_string() ? value.get<std::string>() : value.dump();
    };
    std::string times;
    for (const ReproducedExperiment& e : reproduction_.experiments)
      times += fmt::format("* {}: {:.0f} s{}{}\n", e.name, e.seconds, e.kept ? " (kept)" : "",
                           e.message.empty() ? "" : ", " + e.message);
    return fmt::format(
        "# Claims on this host\n\nProfile {}; {} with {} cores, {}; {}.\n\n{}\n\n## Experiments\n\n"
        "{}\nTimes of this run:\n\n{}\n## Claims\n\n{}\n",
        options_.profile, text("cpu"), text("cores"), text("kernel"), version_text(),
        verdict_counts(reproduction_.verdicts), appendix_experiments(claims_), times,
        claims_markdown(claims_, reproduction_.verdicts, false));
  }

  void note(const std::string& line) const {
    if (options_.progress) options_.progress->note(line);
  }
  void report(const std::string& line) const {
    if (options_.progress) options_.progress->update(0, 0, line);
  }

  const ClaimsFile& claims_;
  const ReproduceOptions& options_;
  const OutputDir& out_;
  std::vector<Claim> selected_;
  fs::path program_;
  Json journal_ = Json::object();
  Reproduction reproduction_;
};

}  // namespace

std::vector<Claim> select_claims(const ClaimsFile& claims, const std::vector<std::string>& ids) {
  if (ids.empty()) return claims.claims;
  std::vector<std::string> known;
  for (const Claim& c : claims.claims) known.push_back(c.id);
  for (const std::string& id : ids)
    if (std::find(known.begin(), known.end(), id) == known.end())
      throw InputError(fmt::format("{}: no such claim{}; 'missive-sim claims' lists them", id,
                                   did_you_mean(id, known)));
  std::vector<Claim> selected;
  for (const Claim& c : claims.claims)
    if (std::find(ids.begin(), ids.end(), c.id) != ids.end()) selected.push_back(c);
  return selected;
}

std::vector<ClaimExperiment> needed_experiments(const ClaimsFile& claims,
                                                const std::vector<Claim>& selected) {
  std::vector<ClaimExperiment> needed;
  for (const ClaimExperiment& e : claims.experiments)
    if (std::any_of(selected.begin(), selected.end(),
                    [&](const Claim& c) { return c.judged() && c.experiment == e.name; }))
      needed.push_back(e);
  return needed;
}

double expected_minutes(const std::vector<ClaimExperiment>& experiments,
                        const std::string& profile) {
  double minutes = 0;
  for (const ClaimExperiment& e : experiments) minutes += e.profiles.at(profile).minutes;
  return minutes;
}

Reproduction reproduce(const ClaimsFile& claims, const ReproduceOptions& options,
                       const OutputDir& out) {
  return ReproduceRun(claims, options, out).run();
}

ExitStatus exit_status(const ClaimsFile& claims, const Reproduction& r) {
  if (r.interrupted) return ExitStatus::interrupted;
  for (const ReproducedExperiment& e : r.experiments)
    if (!finished(e.status)) return ExitStatus::run_failed;
  if (any_broken(r.verdicts)) return ExitStatus::claim_failed;
  for (const ClaimVerdict& v : r.verdicts) {
    if (v.verdict == Verdict::inconclusive) return ExitStatus::not_available;
    if (v.verdict != Verdict::not_run) continue;
    for (const Claim& c : claims.claims)
      if (c.id == v.id && c.judged() && !(c.decides == World::measured ? v.measured : v.simulated))
        return ExitStatus::not_available;
  }
  return ExitStatus::ok;
}

}  // namespace missive::harness
