#pragma once
// The attacks of the attack matrix as C++ sees them: number, name, and the claim each puts to the
// test. What each does, and its argument, is defined once, in service/attack.h; they reach a
// domain through call() like any other entry.

#include <cstdint>
#include <string>
#include <vector>

#include "real/domains/domain.h"

namespace missive::domains {

enum class Attack : std::int32_t {
  wild_read = 100,
  wild_write = 101,
  wild_jump = 102,
  stack_overflow = 103,
  endless_loop = 104,
  memory_hog = 105,
  fork_bomb = 106,
  open_host_file = 107,
  kill_parent = 108,
  corrupt_argument = 109,
  crash = 110,
  never_return = 111,
  oversized_reply = 112,
  inherited_read = 113,
};

inline Entry entry_of(Attack attack) { return static_cast<Entry>(attack); }

struct AttackInfo {
  Attack attack;
  std::string name;          // JSON value: "wild-read"
  std::string what;          // one sentence
  bool Containment::*claim;  // the claim that promises to contain it
};

// All of them, in the order of their numbers.
const std::vector<AttackInfo>& attacks();
// Throws InputError with the nearest name.
const AttackInfo& attack(const std::string& name);

}  // namespace missive::domains
