#pragma once
// One attack, from the inside: what happens in the process that hosts the hostile domain. That
// process may die of it, which is why it is a process of its own (attack_matrix.h). Internal to the
// attack matrix.

#include <chrono>
#include <cstdint>
#include <string>

#include <sys/types.h>

#include <nlohmann/json.hpp>

#include "real/domains/attacks.h"

namespace missive::domains {

struct VictimOrder {
  const Mechanism* mechanism;
  Attack attack;
  std::chrono::milliseconds deadline;  // of the hostile call
  std::chrono::milliseconds patience;  // then SIGALRM ends this process
  std::uint64_t hog_bytes;
  unsigned children;
  bool with_bystander;
  std::string secret_file;  // readable by everybody
  std::string file_secret;  // what is in it
};

// What the host saw.
struct VictimReport {
  enum class End { returned, fault, refused };
  End end = End::returned;
  std::string text;  // of the exception
  std::uint64_t length = 0, capacity = 0;
  bool not_applicable = false;  // the guest said so
  bool memory_changed = false;  // the host's, behind its back
  bool secret_read = false;
  bool argument_changed = false;
  std::uint64_t amount = 0;  // first word of the reply: bytes or children got
  std::string bystander;     // empty: another domain answers rightly, or none was asked for
  unsigned left_behind = 0;  // processes, a moment after the domains were destroyed
  double seconds = 0;        // of the hostile call
};

void to_json(nlohmann::json& j, const VictimReport& r);
void from_json(const nlohmann::json& j, VictimReport& r);

// Creates two domains, has one of them attack, and looks around. Changes this process for good
// (session, subreaper, timer, standard error): to be called in a child made for it.
VictimReport suffer(const VictimOrder& order);

// Processes below `pid`, children of children included (/proc/PID/stat, proc(5)).
std::vector<pid_t> descendants(pid_t pid);
// Kills and reaps those below the calling process until none is left.
void kill_descendants();

}  // namespace missive::domains
