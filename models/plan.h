#pragma once
// A plan: what one launch has to do, as a small graph of steps. A step says where it runs, what it
// waits for and how much work it is (its demands and at most one transfer); it never says how long
// it takes. Executors decide that: sim/ by cost model and contention, real/ by doing it. Both write
// Records.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/quantity.h"

namespace missive {

// Phases of a launch, in the order of Missive's own measurements (docs/models.md, "Phases").
enum class Phase {
  create,
  lookup,
  fetch,
  assemble,
  map,
  tag_lookup,
  verify,
  tag_store,
  boot,
  background,  // behind the running application: a launch does not wait for it
};
inline constexpr std::array kPhases{
    Phase::create,     Phase::lookup, Phase::fetch,     Phase::assemble, Phase::map,
    Phase::tag_lookup, Phase::verify, Phase::tag_store, Phase::boot,     Phase::background};
std::string to_string(Phase phase);

// Who does a step. Launcher, cache and application share the client machine; the origin is the
// vendor's.
enum class Place { launcher, cache, origin, application };
std::string to_string(Place place);

// What can be counted exactly in both worlds. A difference is a bug in one of them.
enum class Amount {
  bytes_fetched,  // bodies received from the origin: recipe and blocks
  blocks_fetched,
  bytes_assembled,  // copied by the cache into the image it hands over
  bytes_mapped,     // mapped from the cache's sealed memory, not copied
  bytes_copied,     // received through the socket into the launcher's own memory
  bytes_hashed,     // leaf data through the collision-resistant hash, launcher only
  blocks_hashed,
  bytes_authenticated,  // through the keyed MAC
  blocks_before_start,  // accepted by whichever verifier before the application was started
  files_delivered,      // regular files the application can open (mmap: the program it is)
  bytes_delivered,      // file content copied (extract) or put into the page cache before anybody
                        // asked for it (fuse, erofs)
};
inline constexpr std::size_t kAmounts = 11;
std::string to_string(Amount amount);

class Amounts {
 public:
  std::uint64_t& operator[](Amount a) { return values_[static_cast<std::size_t>(a)]; }
  std::uint64_t operator[](Amount a) const { return values_[static_cast<std::size_t>(a)]; }
  Amounts& operator+=(const Amounts& other);
  bool operator==(const Amounts&) const = default;

 private:
  std::array<std::uint64_t, kAmounts> values_{};
};

// So much work for one cost model (models/cost.h). What an item is, the cost model says: a block, a
// file, a look-up, a page.
struct Demand {
  std::string cost;
  std::uint64_t calls = 0;
  Bytes bytes{};
  std::uint64_t items = 0;
};

struct Transfer {
  std::string
      link;  // parameters link.<name>.latency_s (one way) and link.<name>.bandwidth_bytes_per_s
  Bytes bytes{};
};

using StepId = std::size_t;  // index into Plan::steps

struct Step {
  std::string name;  // unique in the plan: "fetch.blocks.3"
  Phase phase = Phase::create;
  Place place = Place::launcher;
  std::vector<StepId> after;  // earlier steps only
  std::vector<Demand> demands;
  std::optional<Transfer> transfer;  // happens after the demands
  Amounts amounts{};
  // Steps that name the same work do it once: the first that comes to it, by its own demands. One
  // that comes meanwhile waits for that one's end, or does it too if that is sooner; one that
  // comes later has nothing to do. Empty: a step's own work. Such a step transfers nothing.
  std::string once;
};

struct Plan {
  std::vector<Step> steps;
  // Appends a step that waits for `after`; returns its id.
  StepId add(Step step);
};

// Throws std::logic_error when a step waits for itself or a later one, a name repeats, or work that
// is done once has a transfer.
void check(const Plan& plan);

// What an executor says of one step. Times count from the start of the launch.
struct Record {
  std::string step;
  Phase phase = Phase::create;
  Place place = Place::launcher;
  Picos start{};
  Picos end{};
  Amounts amounts{};
};

// Wall time of a phase: the length of the union of its records' intervals, without what a later
// phase hides (two that run at once are the later one's time), so that phases add up to the total.
// Phase background alone is counted whole, and hides nothing.
Picos phase_time(const std::vector<Record>& records, Phase phase);
// First start to last end, without the phase background.
Picos total_time(const std::vector<Record>& records);
Amounts total_amounts(const std::vector<Record>& records);

}  // namespace missive
