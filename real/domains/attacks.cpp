#include "real/domains/attacks.h"

#include "models/nearest.h"

namespace missive::domains {

const std::vector<AttackInfo>& attacks() {
  using A = Attack;
  using C = Containment;
  static const std::vector<AttackInfo> all = {
      {A::wild_read, "wild-read", "reads a secret of the host at its address", &C::memory},
      {A::wild_write, "wild-write", "writes to the host's memory at its address", &C::memory},
      {A::wild_jump, "wild-jump", "calls a function of the host at its address", &C::control},
      {A::stack_overflow, "stack-overflow", "recurses without end", &C::memory},
      {A::endless_loop, "endless-loop", "computes for ever", &C::time},
      {A::memory_hog, "memory-hog", "touches fresh memory until it is refused", &C::space},
      {A::fork_bomb, "fork-bomb", "forks until it is refused", &C::system_calls},
      {A::open_host_file, "open-host-file",
       "reads a secret file of the host and makes one beside it", &C::system_calls},
      {A::kill_parent, "kill-parent", "sends SIGKILL to the host, its parent and its process group",
       &C::system_calls},
      {A::corrupt_argument, "corrupt-argument", "changes the request after the host has checked it",
       &C::memory},
      {A::crash, "crash", "executes an invalid instruction", &C::control},
      {A::never_return, "never-return", "falls asleep for ever", &C::time},
      {A::oversized_reply, "oversized-reply", "claims a reply larger than the room for it",
       &C::memory},
      {A::inherited_read, "inherited-read", "reads a secret the host had before it made the domain",
       nullptr},
  };
  return all;
}

const AttackInfo& attack(const std::string& name) {
  std::vector<std::string> names;
  for (const AttackInfo& a : attacks()) {
    if (a.name == name) return a;
    names.push_back(a.name);
  }
  throw InputError("no attack '" + name + "'" + did_you_mean(name, names));
}

}  // namespace missive::domains
