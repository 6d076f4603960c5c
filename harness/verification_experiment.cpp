#include "harness/verification_experiment.h"

#include <algorithm>
#include <stdexcept>

#include "harness/experiment_kind.h"
#include "harness/verification_run.h"
#include "harness/verification_table.h"
#include "real/verify/algorithm.h"

namespace missive::harness {

namespace {

constexpr std::uint64_t kShortWork = 64 << 10;  // bytes of short messages in one timing

bool is_bound(const std::string& name) { return name == "read" || name == "copy"; }

Json parameters_of(const std::string& algorithm, const VerificationSettings& s) {
  Json p = Json::object();
  p["algorithm"] = algorithm;
  p["size"] = s.size.count;
  p["cached_size"] = s.cached_size.count;
  p["granularity"] = s.granularity;
  p["threads"] = s.threads;
  p["messages"] = Json::array();
  for (const Bytes m : s.messages) p["messages"].push_back(m.count);
  p["degree"] = s.degree;
  return p;
}

// Size in bytes of a granularity; "whole": all of `size`.
std::uint64_t message_of(const std::string& granularity, Bytes size) {
  return granularity == "whole" ? size.count : std::min(parse_bytes(granularity).count, size.count);
}

std::string in_bytes(Bytes b) { return std::to_string(b.count) + "B"; }

}  // namespace

std::vector<VerificationMetric> verification_metrics(const std::string& algorithm,
                                                     const VerificationSettings& s) {
  std::vector<VerificationMetric> all;
  if (is_bound(algorithm)) {
    for (const std::uint64_t n : s.threads)
      all.push_back({"memory.whole." + std::to_string(n), {algorithm, s.size, 0, n}});
    return all;
  }
  const verify::Algorithm& a = verify::algorithm(algorithm);
  const auto work = [&](Bytes size, std::uint64_t message, std::uint64_t threads, Residency r) {
    VerificationWork w{algorithm, size, message, threads, r};
    w.digest_bytes = a.digest_bytes;
    if (a.family == verify::Family::hash && message < size.count) w.degree = s.degree;
    if (a.longest > 0) {
      w.other_from = a.longest + 1;
      w.other = a.beyond;
    }
    return w;
  };
  for (const std::string& g : s.granularity) {
    for (const std::uint64_t n : s.threads) {
      if (g == "whole" && n > 1) continue;  // one message is one thread's
      all.push_back({"memory." + g + "." + std::to_string(n),
                     work(s.size, message_of(g, s.size), n, Residency::memory)});
    }
    if (g != "whole")
      all.push_back({"cache." + g + ".1",
                     work(s.cached_size, message_of(g, s.cached_size), 1, Residency::cache)});
  }
  for (const Bytes m : s.messages) {
    VerificationWork w = work({kShortWork}, m.count, 1, Residency::cache);
    w.degree = 0;  // of one message, not of a tree over many
    all.push_back({"short." + in_bytes(m), w,
                   static_cast<double>(m.count) / static_cast<double>(kShortWork)});
  }
  return all;
}

VerificationSettings read_verification(const Json& effective) {
  VerificationSettings s;
  if (effective["algorithms"].is_string())
    for (const verify::Algorithm& a : verify::algorithms()) s.algorithms.push_back(a.name);
  else
    s.algorithms = effective["algorithms"].get<std::vector<std::string>>();
  s.size = parse_bytes(effective["size"]);
  s.cached_size = parse_bytes(effective["cached_size"]);
  s.granularity = effective["granularity"].get<std::vector<std::string>>();
  s.threads = effective["threads"].get<std::vector<std::uint64_t>>();
  if (std::find(s.threads.begin(), s.threads.end(), 1) == s.threads.end())
    s.threads.insert(s.threads.begin(), 1);  // what all ratios are to
  for (const Json& m : effective["messages"]) s.messages.push_back(parse_bytes(m));
  s.degree = effective["degree"];
  s.processes = effective["processes"];
  s.median_tolerance = effective["tolerance"]["median"];
  s.most_tolerance = effective["tolerance"]["most"];
  s.keyed_limit = effective["limits"]["keyed_over_read"];
  s.tree_limit = effective["limits"]["tree_over_sha1"];
  std::vector<std::string> names{"read", "copy"};
  names.insert(names.end(), s.algorithms.begin(), s.algorithms.end());
  for (const std::string& name : names) {
    Json parameters = parameters_of(name, s);
    const std::string id = point_id(parameters);
    s.points.push_back({id, name, std::move(parameters)});
  }
  return s;
}

const VerificationSettings& verification_settings(const Experiment& experiment) {
  const auto* settings = dynamic_cast<const VerificationSettings*>(experiment.settings.get());
  if (settings == nullptr) throw std::logic_error("not an experiment of kind verification");
  return *settings;
}

ExperimentKind verification_kind() {
  ExperimentKind kind;
  kind.name = "verification";
  kind.read = [](const JsonSource&, Experiment& e) {
    auto settings = std::make_shared<VerificationSettings>(read_verification(e.effective));
    for (const VerificationPoint& point : settings->points)
      e.grid.push_back({point.id, point.algorithm, point.parameters});
    e.settings = std::move(settings);
  };
  kind.run = run_verification;
  kind.table = verification_table;
  kind.answer = verification_answer;
  return kind;
}

}  // namespace missive::harness
