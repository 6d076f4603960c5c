#include "real/domains/attack_matrix.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include <sys/prctl.h>

#include <fmt/format.h>

#include "real/domains/attack_victim.h"
#include "real/measure/scratch.h"
#include "real/process.h"

namespace missive::domains {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kOtherDeadline{10'000};
constexpr milliseconds kMaking{60'000};  // two domains, the slowest mechanism, a loaded machine

const AttackInfo& info_of(Attack attack) {
  return *std::find_if(attacks().begin(), attacks().end(),
                       [attack](const AttackInfo& a) { return a.attack == attack; });
}

bool never_ends(Attack attack) {
  return attack == Attack::endless_loop || attack == Attack::never_return;
}

struct Judgement {
  Verdict verdict;
  std::string evidence;
  bool impossible = false;
};

Judgement not_contained(std::string evidence) {
  return {Verdict::not_contained, std::move(evidence)};
}

// What attacks that may come back with something came back with.
Judgement judge_return(const VictimOrder& order, const VictimReport& r) {
  switch (order.attack) {
    case Attack::memory_hog:
      if (r.amount >= order.hog_bytes)
        return not_contained(fmt::format("took all {} MiB it wanted", r.amount >> 20));
      return {Verdict::contained,
              fmt::format("got {} KiB of {} MiB", r.amount >> 10, order.hog_bytes >> 20)};
    case Attack::fork_bomb:
      if (r.amount >= order.children)
        return not_contained(fmt::format("made all {} processes it wanted", r.amount));
      return {Verdict::contained,
              fmt::format("made {} of {} processes, none outlived it", r.amount, order.children)};
    case Attack::wild_read:
    case Attack::inherited_read:
      return {Verdict::contained, "read memory that is not the host's"};
    case Attack::wild_write:
    case Attack::wild_jump:
      return {Verdict::contained, "changed memory that is not the host's"};
    case Attack::open_host_file:
      return {Verdict::contained, "the host's file is not there for it"};
    case Attack::kill_parent:
      return {Verdict::contained, "the host lives"};
    case Attack::corrupt_argument:
      return {Verdict::contained, "changed its own copy of the request"};
    case Attack::oversized_reply:
      return {Verdict::contained, "the host took no more than there was room for"};
    default:
      return {Verdict::not_applicable, "the guest came back unharmed"};
  }
}

Judgement judge(const VictimOrder& order, const VictimReport& r) {
  if (r.memory_changed) return not_contained("the host's memory was changed");
  if (r.secret_read) return not_contained("the reply holds the host's secret");
  if (r.argument_changed) return not_contained("the host's copy of the request was changed");
  if (!r.bystander.empty()) return not_contained("another domain fails: " + r.bystander);
  if (r.end == VictimReport::End::returned && r.length > r.capacity) {
    return not_contained(
        fmt::format("the host took {} bytes into room for {}", r.length, r.capacity));
  }
  if (r.left_behind > 0)
    return not_contained(fmt::format("{} processes outlived the domain", r.left_behind));
  if (r.end == VictimReport::End::refused) return {Verdict::not_applicable, r.text};
  if (r.not_applicable) return {Verdict::not_applicable, "cannot be written for this guest", true};
  if (r.end == VictimReport::End::fault) return {Verdict::contained, r.text};
  return judge_return(order, r);
}

// Why the victim is no more, for a reader.
std::string describe_end(const std::string& what, const VictimOrder& order) {
  if (what.find(::strsignal(SIGALRM)) != std::string::npos) {
    return fmt::format("the call did not come back within {:.1f} s",
                       std::chrono::duration<double>(order.patience).count());
  }
  return "the host died: " + what;
}

std::string run_victim(const VictimOrder& order) {
  nlohmann::json answer;
  try {
    answer["report"] = suffer(order);
  } catch (const std::exception& e) {
    answer["error"] = e.what();  // no domain to be had; nothing has attacked yet
    kill_descendants();
  }
  return answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// In a process of its own, the parent of the victim: adopts and ends what the victim leaves.
Judgement watch(const VictimOrder& order, const fs::path& directory) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // So that files of the mechanism are removed with this directory, whatever becomes of the victim.
  ::setenv("TMPDIR", directory.c_str(), 1);
  Judgement result;
  std::string answer;
  try {
    // The timer in the victim is the deadline; this one is for a victim that lost it.
    answer = run_in_child([&order] { return run_victim(order); }, kMaking + order.patience,
                          info_of(order.attack).name);
  } catch (const RunError& e) {
    result = not_contained(describe_end(e.what(), order));
  }
  kill_descendants();
  if (!answer.empty()) {
    const auto parsed = nlohmann::json::parse(answer);
    if (parsed.contains("error")) throw RunError(parsed.at("error").get<std::string>());
    result = judge(order, parsed.at("report").get<VictimReport>());
  }
  if (fs::exists(order.secret_file + ".owned")) {
    result = not_contained("made a file beside the host's");
  }
  return result;
}

std::string random_text() {
  std::random_device random;
  std::string text;
  for (int i = 0; i < 32; ++i) text += static_cast<char>('A' + random() % 26);
  return text;
}

void require_available(const Mechanism& mechanism) {
  if (const std::string why = mechanism.unavailable(); !why.empty()) {
    throw NotAvailable(mechanism.name + ": " + why);
  }
}

// A deadline that a mechanism does not enforce is not waited for longer than it takes to be sure.
milliseconds patience_for(const Mechanism& mechanism, milliseconds deadline) {
  return deadline + (mechanism.claims.time ? milliseconds(5'000) : milliseconds(150));
}

AttackOutcome attack_in(const fs::path& directory, const Mechanism& mechanism, Attack attack,
                        const AttackOptions& options) {
  VictimOrder order{};
  order.mechanism = &mechanism;
  order.attack = attack;
  order.deadline = never_ends(attack) ? options.deadline : kOtherDeadline;
  order.patience = patience_for(mechanism, order.deadline);
  order.hog_bytes = options.hog_bytes;
  order.children = options.children;
  order.with_bystander = options.bystander;
  order.secret_file = directory / "secret";
  order.file_secret = random_text();
  std::ofstream(order.secret_file) << order.file_secret;
  const std::string judgement = run_in_child(
      [&] {
        const Judgement j = watch(order, directory);
        return nlohmann::json{j.verdict, j.evidence, j.impossible}.dump();
      },
      2 * kMaking + order.patience, mechanism.name + ": " + info_of(attack).name);
  fs::remove(order.secret_file);
  fs::remove(order.secret_file + ".owned");
  const auto parsed = nlohmann::json::parse(judgement);
  AttackOutcome outcome{attack, parsed.at(0).get<Verdict>(), parsed.at(1).get<std::string>(),
                        parsed.at(2).get<bool>()};
  std::replace(outcome.evidence.begin(), outcome.evidence.end(), '\n', ' ');
  return outcome;
}

}  // namespace

std::string name_of(Verdict verdict) {
  constexpr std::array kNames{"contained", "not contained", "not applicable"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

AttackOutcome try_attack(const Mechanism& mechanism, Attack attack, const AttackOptions& options) {
  AttackOptions one = options;
  one.only = {attack};
  return attack_matrix(mechanism, one).outcomes.at(0);
}

AttackMatrix attack_matrix(const Mechanism& mechanism, const AttackOptions& options) {
  require_available(mechanism);
  const measure::ScratchDirectory directory(measure::scratch_parent());
  AttackMatrix matrix{mechanism.name, {}};
  for (const AttackInfo& each : attacks()) {
    const auto& only = options.only;
    if (!only.empty() && std::find(only.begin(), only.end(), each.attack) == only.end()) continue;
    matrix.outcomes.push_back(attack_in(directory.path(), mechanism, each.attack, options));
  }
  return matrix;
}

std::vector<std::string> broken_claims(const Containment& claims, const AttackMatrix& matrix) {
  struct Claim {
    bool Containment::*claim;
    const char* name;
  };
  std::vector<std::string> broken;
  for (const Claim& each : {Claim{&Containment::memory, "memory"},
                            {&Containment::control, "control"},
                            {&Containment::time, "time"},
                            {&Containment::system_calls, "system calls"},
                            {&Containment::space, "space"}}) {
    if (!(claims.*each.claim)) continue;
    bool tried = false;
    for (const AttackOutcome& outcome : matrix.outcomes) {
      const AttackInfo& info = info_of(outcome.attack);
      if (info.claim != each.claim) continue;
      tried = tried || outcome.verdict == Verdict::contained || outcome.impossible;
      if (outcome.verdict != Verdict::not_contained) continue;
      tried = true;
      broken.push_back(fmt::format("{} claims to contain {}, but {}: {}", matrix.mechanism,
                                   each.name, info.name, outcome.evidence));
    }
    if (!tried) {
      broken.push_back(fmt::format("{} claims to contain {}, and no attack put it to the test",
                                   matrix.mechanism, each.name));
    }
  }
  return broken;
}

}  // namespace missive::domains
