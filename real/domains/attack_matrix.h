#pragma once
// The security cell of the comparison, by test: each hostile guest (attacks.h) runs in a domain of
// each mechanism, and the host looks what came of it. Contained means: the process that hosts the
// domain lives, its memory is unchanged and its secrets unread, another domain of it answers, the
// deadline held, no process and no file is left.
//
// Every attack runs in a sacrificial process, which a judge watches from a process of its own: an
// attack that is not contained kills, at worst, the sacrificial one. Attacks are bounded (memory,
// children, and every child ends by itself after two seconds).

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "real/domains/attacks.h"

namespace missive::domains {

enum class Verdict { contained, not_contained, not_applicable };
// "contained", "not contained", "not applicable".
std::string name_of(Verdict verdict);

struct AttackOutcome {
  Attack attack;
  Verdict verdict;
  std::string evidence;  // one line
  // Not applicable because the guest has no instruction for it, which is containment of a kind;
  // otherwise it is the guest that was not made for attacks.
  bool impossible = false;
};

struct AttackMatrix {
  std::string mechanism;
  std::vector<AttackOutcome> outcomes;  // in the order of attacks()
};

struct AttackOptions {
  // Of a call that would never end; other attacks have ten seconds.
  std::chrono::milliseconds deadline{300};
  std::uint64_t hog_bytes = std::uint64_t{1} << 30;
  unsigned children = 64;
  std::vector<Attack> only;  // empty: all
  // Whether a second domain must answer after the attack: it is made for each.
  bool bystander = true;
};

// Throws NotAvailable when the mechanism is not, Interrupted, RunError when no domain can be made.
AttackOutcome try_attack(const Mechanism& mechanism, Attack attack, const AttackOptions& options);
AttackMatrix attack_matrix(const Mechanism& mechanism, const AttackOptions& options);

// What `claims` promises and the matrix contradicts, one line each: an attack that was not
// contained, or a claim that no attack put to the test. Empty when the claims hold.
std::vector<std::string> broken_claims(const Containment& claims, const AttackMatrix& matrix);
inline bool claims_hold(const Containment& claims, const AttackMatrix& matrix) {
  return broken_claims(claims, matrix).empty();
}

}  // namespace missive::domains
