#include "sim/simgrid_engine.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <simgrid/s4u.hpp>
#include <xbt/config.hpp>

// Uses macros of the SimGrid headers above without including them.
#include <simgrid/version.h>

#include "models/error.h"

namespace missive {

namespace {

namespace s4u = simgrid::s4u;

constexpr double kFlopsPerSecond = 1e12;

// With the network settings a transfer takes exactly latency + bytes / bandwidth: the default model
// multiplies the latency by 13.01, takes 0.97/1.05 of the bandwidth and caps a flow by a TCP window
// (SimGrid manual, "The SimGrid Models", CM02 and LV08). The default clock step is 1 ns. The
// optimisation modes are the defaults, pinned because they order simultaneous events. The log is
// shut because the engine would tell stderr about each of these settings.
constexpr std::array<const char*, 10> kConfiguration{
    "--cfg=network/model:CM02",  "--cfg=network/crosstraffic:0", "--cfg=network/TCP-gamma:0",
    "--cfg=network/weight-S:0",  "--cfg=surf/precision:1e-12",   "--cfg=cpu/optim:Lazy",
    "--cfg=network/optim:Lazy",  "--cfg=cpu/model:Cas01",        "--cfg=host/model:compound",
    "--log=root.thres:critical",
};

// Read back from SimGrid instead of repeating what was asked for: a setting that did not take
// effect shows.
constexpr std::array<const char*, 8> kTexts{"network/model",    "network/optim", "network/solver",
                                            "cpu/model",        "cpu/optim",     "cpu/solver",
                                            "contexts/factory", "host/model"};
constexpr std::array<const char*, 6> kNumbers{"network/TCP-gamma",      "network/weight-S",
                                              "network/latency-factor", "network/bandwidth-factor",
                                              "surf/precision",         "maxmin/precision"};
constexpr std::array<const char*, 1> kFlags{"network/crosstraffic"};

std::map<std::string, std::string> settings() {
  std::map<std::string, std::string> all;
  for (const char* name : kTexts) all[name] = simgrid::config::get_value<std::string>(name);
  for (const char* name : kNumbers)
    all[name] = fmt::format("{}", simgrid::config::get_value<double>(name));
  for (const char* name : kFlags) all[name] = simgrid::config::get_value<bool>(name) ? "1" : "0";
  int major = 0, minor = 0, patch = 0;
  sg_version_get(&major, &minor, &patch);
  all["simgrid"] = fmt::format("{}.{}.{}", major, minor, patch);
  all["host/speed"] = fmt::format("{} flop/s on each core", kFlopsPerSecond);
  return all;
}

struct Ends {
  s4u::Host *upper, *lower;
};

class Platform {
 public:
  explicit Platform(const EngineJob& job) : zone_(s4u::create_full_zone("world")) {
    for (const EngineHost& host : job.hosts)
      hosts_.push_back(
          zone_->create_host("host." + host.name, kFlopsPerSecond)->set_core_count(host.cores));
    for (const EngineLink& link : job.links) add(link);
    zone_->seal();
  }
  s4u::Host* host(std::size_t i) const { return hosts_.at(i); }
  const Ends& ends(std::size_t i) const { return ends_.at(i); }

 private:
  void add(const EngineLink& link) {
    const Ends ends{zone_->create_host("upper." + link.name, kFlopsPerSecond),
                    zone_->create_host("lower." + link.name, kFlopsPerSecond)};
    connect(link, "down.", ends.upper, ends.lower);
    connect(link, "up.", ends.lower, ends.upper);
    ends_.push_back(ends);
  }
  void connect(const EngineLink& link, const char* prefix, s4u::Host* from, s4u::Host* to) {
    const s4u::Link* one_way = zone_->create_link(prefix + link.name, link.bandwidth_bytes_per_s)
                                   ->set_latency(link.latency_s)
                                   ->seal();
    zone_->add_route(from->get_netpoint(), to->get_netpoint(), nullptr, nullptr,
                     {s4u::LinkInRoute(one_way)}, false);
  }

  s4u::NetZone* zone_;
  std::vector<s4u::Host*> hosts_;
  std::vector<Ends> ends_;
};

// The activities of one step: its work, then its transfer. One of them always exists. A gate is
// before work that another step may do.
struct Activities {
  s4u::ExecPtr gate;
  s4u::ExecPtr work;
  s4u::CommPtr transfer;

  s4u::ActivityPtr first() const {
    return gate ? s4u::ActivityPtr(gate) : work ? s4u::ActivityPtr(work) : transfer;
  }
  const s4u::Activity& last() const {
    return transfer ? static_cast<const s4u::Activity&>(*transfer) : *work;
  }
  void then(const s4u::ActivityPtr& next) const {
    if (transfer)
      transfer->add_successor(next);
    else
      work->add_successor(next);
  }
};

s4u::ExecPtr exec(const EngineStep& step, std::int64_t picoseconds, const Platform& platform) {
  return s4u::Exec::init()
      ->set_name(step.name)
      ->set_flops_amount(static_cast<double>(picoseconds))
      ->set_host(platform.host(step.host));
}

Activities activities_of(const EngineStep& step, const Platform& platform) {
  Activities a;
  if (step.once) a.gate = exec(step, 0, platform);
  if (step.compute_ps > 0 || !step.transfers) a.work = exec(step, step.compute_ps, platform);
  if (step.transfers) {
    const Ends& ends = platform.ends(step.link);
    const bool down = step.direction == Direction::down;
    a.transfer =
        s4u::Comm::sendto_init(down ? ends.upper : ends.lower, down ? ends.lower : ends.upper)
            ->set_payload_size(step.bytes)
            ->set_name(step.name);
    if (a.work) a.work->add_successor(a.transfer);
  }
  return a;
}

// All waiting is declared before anything starts: SimGrid starts an activity as soon as it knows of
// nothing to wait for.
std::vector<Activities> lay_out(const EngineJob& job, const Platform& platform) {
  std::vector<Activities> all;
  for (const EngineStep& step : job.steps) all.push_back(activities_of(step, platform));
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t before : job.steps[i].after) all.at(before).then(all[i].first());
  return all;
}

// Gives each piece of work that several steps could do to the one whose gate ends first.
class Once {
 public:
  Once(const EngineJob& job, const std::vector<Activities>& all) {
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].gate)
        gates_[all[i].gate.get()] = {*job.steps[i].once, all[i].work,
                                     static_cast<double>(job.steps[i].compute_ps)};
    if (gates_.empty()) return;
    // SimGrid keeps this for as long as the process lives: once, as run_engine() is called.
    s4u::Activity::on_completion_cb([this](const s4u::Activity& ended) {
      if (const auto gate = gates_.find(&ended); gate != gates_.end()) pass(gate->second);
    });
  }

 private:
  struct Waiting {
    std::size_t piece = 0;
    s4u::ExecPtr work;
    double amount = 0;
  };

  void pass(const Waiting& step) {
    const auto [owner, first] = owners_.try_emplace(step.piece, step.work);
    if (!first) {
      const bool done = owner->second->get_state() == s4u::Activity::State::FINISHED;
      const double left = done ? 0 : owner->second->get_remaining();
      if (left <= step.amount) {
        step.work->set_flops_amount(0);
        if (!done) owner->second->add_successor(step.work);
      } else {
        owner->second = step.work;
      }
    }
    step.work->vetoable_start();
  }

  std::map<const s4u::Activity*, Waiting> gates_;
  std::map<std::size_t, s4u::ExecPtr> owners_;  // of each piece of work, who has it done first
};

void start(const std::vector<Activities>& all) {
  for (const Activities& a : all) {
    a.first()->vetoable_start();
    if (a.work && a.transfer) a.transfer->vetoable_start();
  }
}

std::vector<std::int64_t> ends(const EngineJob& job, const std::vector<Activities>& all) {
  std::vector<std::int64_t> result;
  std::size_t waiting = 0;
  std::string first;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const s4u::Activity& last = all[i].last();
    const bool done = last.get_state() == s4u::Activity::State::FINISHED;
    if (!done && waiting++ == 0) first = job.steps[i].name;
    result.push_back(done ? std::llround(last.get_finish_time() * 1e12) : 0);
  }
  if (waiting > 0)
    throw RunError(fmt::format(
        "deadlock: {} of {} steps never ended, the first is '{}'; check what it waits for", waiting,
        all.size(), first));
  return result;
}

}  // namespace

EngineOutcome run_engine(const EngineJob& job) {
  std::vector<std::string> words{"simulation"};
  words.insert(words.end(), kConfiguration.begin(), kConfiguration.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  s4u::Engine engine(&count, arguments.data());
  // Actors waiting for each other; without actors the unfinished steps below say the same.
  bool deadlock = false;
  s4u::Engine::on_deadlock_cb([&deadlock] { deadlock = true; });

  const Platform platform(job);
  const std::vector<Activities> all = lay_out(job, platform);
  const Once once(job, all);
  start(all);
  engine.run();
  if (deadlock) throw RunError("deadlock: the simulation cannot go on");
  return {ends(job, all), settings()};
}

}  // namespace missive
