#include "models/isolation.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "models/isolation/contention.h"

namespace missive {

namespace {

// Of a message that another CPU has read, so much is still in its caches when it is written again:
// those lines have to be taken from there first.
constexpr double kHeldByPeer = 384 * 1024;

// From so many domains on, hand-overs cost what they cost among many; below, between two.
constexpr double kFewDomains = 5;

// bytes x the cost of a byte at this size.
Composition regime_cost(const std::array<Regime, 3>& regimes, double times, double bytes) {
  if (!std::isfinite(bytes) || bytes < 0) throw std::invalid_argument("bytes are not negative");
  Composition c;
  for (std::size_t i = 0; i < regimes.size(); ++i) {
    const Regime& here = regimes[i];
    if (bytes <= here.to || i + 1 == regimes.size()) return c.add(times * bytes, here.parameter);
    const Regime& next = regimes[i + 1];
    if (bytes >= next.from) continue;
    const double share = std::log(bytes / here.to) / std::log(next.from / here.to);
    return c.add(times * bytes * (1 - share), here.parameter)
        .add(times * bytes * share, next.parameter);
  }
  return c;
}

// Exchanges with stacks that are others each time.
Composition in_turn(const Composition& again) {
  Composition c(again.why(), {});
  for (const CostTerm& term : again.terms())
    c.add(term.count, term.parameter == "stack_switch.call_s" ? "stack_switch_in_turn.call_s"
                      : term.parameter == "register_switch.call_s"
                          ? "register_switch_in_turn.call_s"
                          : term.parameter);
  return c;
}

}  // namespace

Composition fill_cost(double times, double bytes) {
  return regime_cost(kFillRegimes, times, bytes);
}
Composition copy_cost(double times, double bytes) {
  return regime_cost(kCopyRegimes, times, bytes);
}
Composition read_cost(double times, double bytes) {
  return regime_cost(kReadRegimes, times, bytes);
}

std::optional<Composition> crossing_cost(const std::string& mechanism, bool peer_elsewhere) {
  const Structure* s = find_structure(mechanism);
  if (s == nullptr) return std::nullopt;
  // A wake-up across CPUs is an interrupt and an idle exit; no primitive here measures it.
  if (peer_elsewhere && s->hand_overs > 0) return std::nullopt;
  Composition c(s->crossing_why, s->crossing);
  if (s->hand_overs > 0)
    c.add(s->hand_overs, s->peer == Peer::thread ? "wake_thread.call_s" : "wake_process.call_s");
  return c;
}

std::optional<Composition> crossing_among(const std::string& mechanism, double domains) {
  const Structure* s = find_structure(mechanism);
  if (s == nullptr || domains < 1) return std::nullopt;
  if (domains < kFewDomains) {
    if (domains > 1 && s->peer != Peer::none && s->hand_overs == 0) return std::nullopt;
    return crossing_cost(mechanism);
  }
  if (s->peer == Peer::none) return in_turn(*crossing_cost(mechanism));
  if (s->hand_overs == 0) return std::nullopt;
  return Composition(s->crossing_why, s->crossing)
      .add(s->hand_overs,
           s->peer == Peer::thread ? "wake_many_threads.call_s" : "wake_many_processes.call_s");
}

std::optional<Composition> chain_cost(const std::string& mechanism, double length) {
  const auto hop = crossing_among(mechanism, length);
  if (!hop) return std::nullopt;
  const Structure& s = *find_structure(mechanism);
  Composition c(hop->why(), {});
  // Fixed costs of reading a few bytes, and of copying them in and out.
  c.add(length, *hop).add(length, "read_l1.call_s");
  return c.add(2 * length * s.copies, "copy_l1.call_s");
}

std::optional<Composition> creation_cost(const std::string& mechanism, double pages) {
  const Structure* s = find_structure(mechanism);
  if (s == nullptr) return std::nullopt;
  Composition c(s->creation_why, s->creation);
  c.add(pages, Composition("", s->creation_by_page));
  return c.add(1, s->first_call_joins ? Composition("", s->crossing) : *crossing_cost(mechanism));
}

std::optional<Composition> teardown_cost(const std::string& mechanism, double pages) {
  const Structure* s = find_structure(mechanism);
  if (s == nullptr) return std::nullopt;
  return Composition("what was made is given back", s->teardown)
      .add(pages, Composition("", s->teardown_by_page));
}

std::optional<Composition> storm_cost(const std::string& mechanism, double creators, double cpus,
                                      double pages) {
  const Structure* s = find_structure(mechanism);
  if (s == nullptr || !(creators >= 1) || !(cpus >= 1)) return std::nullopt;
  const double busy = std::min(creators, cpus);
  if (s->peer != Peer::none && busy < cpus) return std::nullopt;
  Composition life = *creation_cost(mechanism, pages);
  life.add(1, *teardown_cost(mechanism, pages));
  const double crowded = cpus > 1 ? (busy - 1) / (cpus - 1) : 0;
  Composition c("the life of a domain, shared among the CPUs, which wait for each other", {});
  return c.add((1 - crowded) / busy, life).add(crowded / busy, contended(life));
}

std::optional<Composition> message_cost(const std::string& mechanism, double bytes) {
  const Structure* s = find_structure(mechanism);
  if (s == nullptr) return std::nullopt;
  Composition c("the crossing, and what copies the message", {});
  c.add(1, *crossing_cost(mechanism)).add(1, copy_cost(s->copies, bytes));
  if (s->channel == nullptr) return c;
  c.add(bytes, std::string(s->channel) + ".byte_s");
  // The service reads the header before it knows how much follows: one more read, half a message.
  if (bytes > 0) c.add(0.5, std::string(s->channel) + ".call_s");
  if (s->channel_room > 0) c.add(2 * std::floor(bytes / s->channel_room), "wake_process.call_s");
  return c;
}

namespace {

bool has_way(const Structure& s, Sharing sharing) {
  switch (sharing) {
    case Sharing::local:
      return true;
    case Sharing::copy:
      return s.native_reader;
    case Sharing::marshalled:
    case Sharing::sealed:
      return s.host_service;
    case Sharing::shared:
      return s.native_reader && s.in_place;
    case Sharing::pointer:
      return s.native_reader && s.by_pointer;
  }
  return false;
}

// Its fixed costs, and the two calls around them.
Composition filled(const Structure& s, double bytes) {
  Composition c("", {{1, "fill_l1.call_s"}, {1, "indirect_call.call_s"}});
  const double held = s.reads_remotely ? std::min(bytes, kHeldByPeer) : 0;
  c.add(held, "remote_fill.byte_s");
  if (bytes == 0) return c;
  return c.add((bytes - held) / bytes, fill_cost(1, bytes));
}
Composition read_by(const Structure& s, double bytes) {
  Composition c("", {{1, "read_l1.call_s"}, {1, "indirect_call.call_s"}});
  if (s.reads_remotely) return c.add(bytes, "remote_read.byte_s");
  return c.add(1, read_cost(1, bytes));
}

Composition marshalled(double bytes) {
  const double rows = bytes / kRowBytes, encoded = rows * kMarshalledRowBytes;
  Composition c;
  c.add(1, std::string(kMarshalRegimes.front().serialise) + ".call_s");
  c.add(1, std::string(kMarshalRegimes.front().parse) + ".call_s");
  const auto add = [&](const MarshalRegime& regime, double share) {
    for (const char* half : {regime.serialise, regime.parse})
      c.add(share * encoded, std::string(half) + ".byte_s")
          .add(share * rows, std::string(half) + ".item_s");
  };
  for (std::size_t i = 0; i < kMarshalRegimes.size(); ++i) {
    const MarshalRegime& here = kMarshalRegimes[i];
    if (bytes <= here.to || i + 1 == kMarshalRegimes.size()) {
      add(here, 1);
      break;
    }
    const MarshalRegime& next = kMarshalRegimes[i + 1];
    if (bytes >= next.from) continue;
    const double share = std::log(bytes / here.to) / std::log(next.from / here.to);
    add(here, 1 - share);
    add(next, share);
    break;
  }
  return c;
}

Composition sealed(const Structure& s, double bytes) {
  const double pages = std::ceil(bytes / 4096);
  Composition c("", {{1, "memory_file_fill.call_s"},
                     {pages, "memory_file_fill.item_s"},
                     {1, "seal.call_s"},
                     {1, "memory_file_read.call_s"},
                     {pages, "memory_file_read.item_s"}});
  if (s.peer == Peer::process) c.add(1, "descriptor_pass.call_s");
  return c;
}

}  // namespace

std::optional<Composition> sharing_cost(const std::string& mechanism, Sharing sharing,
                                        double bytes) {
  const Structure* s = find_structure(mechanism);
  if (s == nullptr || !has_way(*s, sharing)) return std::nullopt;
  Composition c("the message written, passed, and read by the service", {});
  // Only what lies in shared memory is read, and then held, by the other side itself.
  c.add(1, filled(sharing == Sharing::shared ? *s : Structure{}, bytes));
  const Composition crossing = *crossing_cost(mechanism);
  switch (sharing) {
    case Sharing::local:
      return c.add(1, read_by(Structure{}, bytes));
    case Sharing::copy:
      if (s->by_pointer) c.add(1, copy_cost(1, bytes));
      if (s->reads_remotely) c.add(std::min(bytes, kHeldByPeer), "remote_fill.byte_s");
      return c.add(1, read_by(*s, bytes)).add(1, *message_cost(mechanism, bytes));
    case Sharing::marshalled:
      return c.add(1, marshalled(bytes))
          .add(1, *message_cost(mechanism, bytes / kRowBytes * kMarshalledRowBytes));
    case Sharing::sealed:
      return c.add(1, read_by(*s, bytes)).add(1, sealed(*s, bytes)).add(1, crossing);
    case Sharing::shared:
    case Sharing::pointer:
      return c.add(1, read_by(*s, bytes)).add(1, crossing);
  }
  return std::nullopt;
}

std::optional<DomainFootprint> domain_footprint(const std::string& mechanism) {
  const Structure* s = find_structure(mechanism);
  if (s == nullptr) return std::nullopt;
  DomainFootprint footprint = s->footprint;
  footprint.memory = footprint.pages * 4096;
  return footprint;
}

double break_even_switch_rate(double slow_down, double switch_s) {
  if (!(switch_s > 0) || !(slow_down >= 0))
    throw std::domain_error("a switch takes time, and a slow-down is not negative");
  return slow_down / switch_s;
}

}  // namespace missive
