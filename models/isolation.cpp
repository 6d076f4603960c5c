#include "models/isolation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include <fmt/format.h>

namespace missive {

Composition::Composition(std::string why, std::vector<CostTerm> terms) : why_(std::move(why)) {
  for (const CostTerm& term : terms) add(term.count, term.parameter);
}

Composition& Composition::add(double count, const std::string& parameter) {
  if (!std::isfinite(count) || count < 0)
    throw std::invalid_argument("a term's count is a number, not negative: " + parameter);
  if (count == 0) return *this;
  const auto same = std::find_if(terms_.begin(), terms_.end(),
                                 [&](const CostTerm& t) { return t.parameter == parameter; });
  if (same != terms_.end())
    same->count += count;
  else
    terms_.push_back({count, parameter});
  return *this;
}

Composition& Composition::add(double times, const Composition& other) {
  const std::vector<CostTerm> terms = other.terms_;  // `other` may be this
  for (const CostTerm& term : terms) add(times * term.count, term.parameter);
  return *this;
}

double Composition::cost(const ParameterSet& parameters) const {
  double sum = 0;
  for (const CostTerm& term : terms_) sum += term.count * parameters.value(term.parameter);
  return sum;
}

std::vector<std::string> Composition::missing(const ParameterSet& parameters) const {
  std::vector<std::string> names;
  for (const CostTerm& term : terms_)
    if (!parameters.contains(term.parameter)) names.push_back(term.parameter);
  return names;
}

std::set<std::string> Composition::parameters() const {
  std::set<std::string> names;
  for (const CostTerm& term : terms_) names.insert(term.parameter);
  return names;
}

std::string Composition::text() const {
  std::string text;
  for (const CostTerm& term : terms_) {
    if (!text.empty()) text += " + ";
    if (term.count != 1) text += fmt::format("{:.4g} x ", term.count);
    text += term.parameter;
  }
  return text.empty() ? "0" : text;
}

namespace {

// Where a service runs that has a thread or process of its own.
enum class Peer { none, thread, process };

struct Structure {
  Peer peer = Peer::none;
  // Round trip without the hand-overs between threads or processes.
  std::vector<CostTerm> crossing;
  // Hand-overs of the processor in a round trip: two for a service that sleeps.
  double hand_overs = 0;
  const char* crossing_why = "";

  // create(), without the first call.
  std::vector<CostTerm> creation;
  const char* creation_why = "";
  std::vector<CostTerm> teardown;

  // How often a message is copied in by memcpy, and through the kernel (in and out count as one).
  double copies = 0;
  const char* channel = nullptr;  // micro-measurement of a message through the kernel; or none
  double channel_room = 0;        // bytes it holds; a longer message changes sides more often
  bool in_place = true;           // has memory that both sides see
  bool native_reader = true;      // the service's reading is the C code that read_* stands for
  bool reads_remotely = false;    // on another CPU than the writer

  DomainFootprint footprint;
};

// What the interface itself costs: a call through the class's table, one into the service, and the
// jump through the service's table of entries.
const std::vector<CostTerm> kInterface{{3, "indirect_call.call_s"}};

// A call that can be taken back (real/domains/trap.h): two more calls, and the callee-saved
// registers put aside as in a change of stacks.
const std::vector<CostTerm> kContained{{2, "indirect_call.call_s"}, {1, "register_switch.call_s"}};

std::vector<CostTerm> with_interface(std::vector<CostTerm> terms) {
  terms.insert(terms.begin(), kInterface.begin(), kInterface.end());
  return terms;
}

// Of a message that another CPU has read, so much is still in its caches when it is written again:
// those lines are fetched for writing, as they are for reading.
constexpr double kHeldByPeer = 384 * 1024;

// From so many domains on, hand-overs cost what they cost among many; below, between two.
constexpr double kFewDomains = 5;

// A child's first steps after fork(2), in both processes: pages of stack, heap and data that are
// written again are copied. The number is that of the pages a small program writes at once.
constexpr double kPagesWrittenAfterFork = 8;

std::map<std::string, Structure> make_structures() {
  std::map<std::string, Structure> all;

  Structure call;
  call.crossing = with_interface({});
  call.crossing_why = "the interface, and nothing else";
  call.creation = {{1, "allocate.call_s"}};
  call.creation_why = "the object";
  call.teardown = {{0.5, "allocate.call_s"}};
  all["call"] = call;
  all["safe-rust"] = call;
  all["safe-rust"].native_reader = false;
  all["safe-rust"].crossing = with_interface(kContained);
  all["safe-rust"].crossing_why = "a call that can be taken back, into the safe crate";

  Structure coroutine;
  coroutine.crossing = with_interface({{2, "register_switch.call_s"}});
  coroutine.crossing_why = "two exchanges of the callee-saved registers and the stack pointer";
  coroutine.creation = {{1, "allocate.call_s"},
                        {1, "anonymous_touch.call_s"},
                        {1, "protect_page.call_s"},
                        {1, "anonymous_touch.item_s"}};
  coroutine.creation_why = "a mapping, a guard page, and the first touch of the stack";
  coroutine.teardown = {{1, "unmap.call_s"}, {1, "unmap.item_s"}, {0.5, "allocate.call_s"}};
  coroutine.footprint = {.maps = 2, .address_space = 68 * 1024.0};
  all["coroutine"] = coroutine;

  Structure thread;
  thread.peer = Peer::thread;
  thread.crossing = with_interface({{2, "futex_pair.call_s"}});
  thread.hand_overs = 2;
  thread.crossing_why = "a FUTEX_WAKE and a FUTEX_WAIT on each side, and two hand-overs";
  thread.creation = {{1, "thread_start.call_s"}, {1, "allocate.call_s"}};
  thread.creation_why = "a thread until it runs";
  thread.teardown = {{1, "thread_end.call_s"}};
  thread.footprint = {.maps = 2, .address_space = 68 * 1024.0, .processes = 1};
  all["thread"] = thread;

  Structure process;
  process.peer = Peer::process;
  process.hand_overs = 2;
  process.creation = {{1, "fork_start.call_s"},
                      {kPagesWrittenAfterFork, "file_write_touch.item_s"},
                      {2, "anonymous_touch.item_s"},
                      {1, "anonymous_touch.call_s"},
                      {1, "allocate.call_s"}};
  process.creation_why =
      "a fork until the child runs, shared memory for messages, pages copied on the first write";
  process.teardown = {{1, "process_end.call_s"}, {1, "unmap.call_s"}, {2, "unmap.item_s"}};
  process.footprint = {.maps = 1, .processes = 1, .descriptors = 2};

  Structure pipe = process;
  pipe.crossing = with_interface({{2, "pipe_message.call_s"}, {1, "poll_ready.call_s"}});
  pipe.crossing_why = "two messages through pipes, a poll(2) for the deadline, two hand-overs";
  pipe.creation.push_back({2, "pipe_create.call_s"});
  pipe.channel = "pipe_message";
  pipe.channel_room = 65536;  // pipe(7)
  all["process-pipe"] = pipe;

  Structure socket = process;
  socket.crossing = with_interface({{2, "unix_message.call_s"}, {1, "poll_ready.call_s"}});
  socket.crossing_why = "two messages through a socket, a poll(2) for the deadline, two hand-overs";
  socket.creation.push_back({1, "unix_create.call_s"});
  socket.channel = "unix_message";
  all["process-unix"] = socket;

  Structure eventfd = process;
  eventfd.crossing = with_interface({{2, "eventfd_signal.call_s"}, {1, "poll_ready.call_s"}});
  eventfd.crossing_why = "two signals by eventfd, a poll(2) for deadline and death, two hand-overs";
  eventfd.copies = 1;
  eventfd.footprint.descriptors = 3;
  all["process-eventfd"] = eventfd;

  Structure futex = process;
  futex.crossing = with_interface({{2, "futex_pair.call_s"}});
  futex.crossing_why = "a FUTEX_WAKE and a FUTEX_WAIT on each side, and two hand-overs";
  futex.copies = 1;
  futex.footprint.descriptors = 0;
  all["process-futex"] = futex;

  Structure spin = futex;
  spin.crossing = with_interface({{4, "line_transfer.call_s"}});
  spin.hand_overs = 0;
  spin.reads_remotely = true;
  spin.crossing_why =
      "a cache line there and one back, each written in two steps while the other side polls it: "
      "it "
      "crosses twice";
  all["process-spin"] = spin;

  Structure picoprocess = futex;
  picoprocess.creation = {{1, "namespaces_start.call_s"}, {1, "exec_start.call_s"},
                          {1, "memfd_create.call_s"},     {2, "anonymous_touch.call_s"},
                          {4, "anonymous_touch.item_s"},  {30, "system_call.call_s"}};
  picoprocess.creation_why =
      "a clone into new namespaces, a static program started in it, memory for messages, and the "
      "calls that shut it in";
  picoprocess.teardown = {{1, "namespaces_end.call_s"}, {1, "unmap.call_s"}};
  picoprocess.footprint = {.maps = 1, .processes = 1, .descriptors = 2};
  all["picoprocess"] = picoprocess;

  Structure wasm;
  wasm.crossing = with_interface(kContained);
  wasm.crossing.push_back({1, "indirect_call.call_s"});
  wasm.crossing_why = "a call that can be taken back, and one into the compiled module";
  wasm.copies = 1;
  wasm.creation = {{4, "allocate.call_s"},
                   {1, "reserve_space.call_s"},
                   {1, "protect_page.call_s"},
                   {1, "region_start.call_s"}};
  wasm.creation_why = "8 GiB reserved, its first pages made accessible, one page of data written";
  wasm.teardown = {{1, "region_end.call_s"}, {1, "unmap.call_s"}, {2, "allocate.call_s"}};
  wasm.footprint = {.maps = 2, .address_space = 0x1p33};
  all["wasm-guard"] = wasm;
  wasm.creation = {{4, "allocate.call_s"}, {1, "region_start.call_s"}};
  wasm.creation_why = "a mapping of what the module may grow to, one page of data written";
  wasm.teardown = {{1, "region_end.call_s"}, {2, "allocate.call_s"}};
  wasm.footprint = {.maps = 1, .address_space = 2 * 1048576.0};
  all["wasm-bounds"] = wasm;
  wasm.creation = {{4, "allocate.call_s"}};
  wasm.creation_why = "an instance taken from the pool; it was reset when it was given back";
  wasm.teardown = {{1, "unmap.call_s"}, {1, "unmap.item_s"}};
  wasm.footprint = {.maps = 3, .address_space = 0x1p33};
  all["wasm-pooled"] = wasm;

  Structure pie = coroutine;
  pie.crossing = with_interface({{2, "register_switch.call_s"}, {2, "fs_base_write.call_s"}});
  pie.crossing_why =
      "two exchanges of registers and stack as a coroutine, two writes of the fs base for the "
      "guest's own thread-local storage";
  pie.creation = {
      {1, "allocate.call_s"},         {1, "memfd_create.call_s"},    {1, "region_start.call_s"},
      {1, "file_write_touch.call_s"}, {2, "protect_page.call_s"},    {9, "anonymous_touch.item_s"},
      {6, "file_write_touch.item_s"}, {6, "signal_delivery.call_s"}, {4, "system_call.call_s"}};
  pie.creation_why =
      "a file with the program's nine pages, a region for stack and heap, the six pages that "
      "start-up "
      "writes, and the six system calls it makes, each caught by a signal";
  pie.teardown = {{1, "region_end.call_s"},
                  {2, "unmap.call_s"},
                  {15, "unmap.item_s"},
                  {6, "system_call.call_s"},
                  {0.5, "allocate.call_s"}};
  pie.footprint = {.maps = 5, .address_space = 1048576.0};
  all["pie"] = pie;

  Structure dynamic = pie;
  dynamic.creation = {{2, "allocate.call_s"},          {41, "signal_delivery.call_s"},
                      {26, "system_call.call_s"},      {43, "processor_question.call_s"},
                      {13, "file_write_touch.call_s"}, {4, "anonymous_touch.call_s"},
                      {5, "protect_page.call_s"},      {8, "file_write_touch.item_s"},
                      {43, "anonymous_touch.item_s"}};
  dynamic.creation_why =
      "what ld.so and the C library do to start: 41 system calls, each caught by a signal, 15 of "
      "them mappings or their protection; 43 questions to the processor; 51 page faults, eight of "
      "which copy a page. Looking up symbols has no primitive";
  dynamic.teardown = {{2, "allocate.call_s"}, {6, "unmap.call_s"}, {51, "unmap.item_s"}};
  dynamic.footprint = {.maps = 16, .address_space = 4 * 1048576.0};
  all["pie-dynamic"] = dynamic;

  Structure kvm;
  kvm.crossing = with_interface({{1, "kvm_exit.call_s"}});
  kvm.crossing_why = "an entry into the guest and an exit by an out instruction";
  kvm.copies = 1;
  kvm.creation = {
      {1, "kvm_create.call_s"}, {1, "anonymous_touch.call_s"}, {16, "anonymous_touch.item_s"}};
  kvm.creation_why = "a virtual machine, its memory, and the pages its program and tables fill";
  kvm.teardown = {{1, "kvm_end.call_s"}, {1, "unmap.call_s"}, {16, "unmap.item_s"}};
  kvm.footprint = {.maps = 3, .descriptors = 2};
  all["kvm"] = kvm;
  return all;
}

const std::map<std::string, Structure>& structures() {
  static const std::map<std::string, Structure> all = make_structures();
  return all;
}

const Structure* find(const std::string& mechanism) {
  const auto found = structures().find(mechanism);
  return found == structures().end() ? nullptr : &found->second;
}

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

}  // namespace

std::vector<std::string> modelled_mechanisms() {
  std::vector<std::string> names;
  for (const auto& [name, structure] : structures()) names.push_back(name);
  return names;
}

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
  const Structure* s = find(mechanism);
  if (s == nullptr) return std::nullopt;
  // A wake-up across CPUs is an interrupt and an idle exit; no primitive here measures it.
  if (peer_elsewhere && s->hand_overs > 0) return std::nullopt;
  Composition c(s->crossing_why, s->crossing);
  if (s->hand_overs > 0)
    c.add(s->hand_overs, s->peer == Peer::thread ? "wake_thread.call_s" : "wake_process.call_s");
  return c;
}

std::optional<Composition> crossing_among(const std::string& mechanism, double domains) {
  const Structure* s = find(mechanism);
  if (s == nullptr || domains < 1) return std::nullopt;
  if (domains < kFewDomains) {
    if (domains > 1 && s->peer != Peer::none && s->hand_overs == 0) return std::nullopt;
    return crossing_cost(mechanism);
  }
  if (s->peer == Peer::none) return crossing_cost(mechanism);
  if (s->hand_overs == 0) return std::nullopt;
  return Composition(s->crossing_why, s->crossing)
      .add(s->hand_overs,
           s->peer == Peer::thread ? "wake_many_threads.call_s" : "wake_many_processes.call_s");
}

std::optional<Composition> chain_cost(const std::string& mechanism, double length) {
  const auto hop = crossing_among(mechanism, length);
  if (!hop) return std::nullopt;
  const Structure& s = *find(mechanism);
  Composition c(hop->why(), {});
  // Fixed costs of reading a few bytes, and of copying them in and out.
  c.add(length, *hop).add(length, "read_l1.call_s");
  return c.add(2 * length * s.copies, "copy_l1.call_s");
}

std::optional<Composition> creation_cost(const std::string& mechanism) {
  const Structure* s = find(mechanism);
  if (s == nullptr) return std::nullopt;
  return Composition(s->creation_why, s->creation).add(1, *crossing_cost(mechanism));
}

std::optional<Composition> teardown_cost(const std::string& mechanism) {
  const Structure* s = find(mechanism);
  if (s == nullptr) return std::nullopt;
  return Composition("what was made is given back", s->teardown);
}

std::optional<Composition> message_cost(const std::string& mechanism, double bytes) {
  const Structure* s = find(mechanism);
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

std::optional<Composition> sharing_cost(const std::string& mechanism, Sharing sharing,
                                        double bytes) {
  const Structure* s = find(mechanism);
  if (s == nullptr || (sharing == Sharing::in_place && !s->in_place)) return std::nullopt;
  Composition c("the message written, passed, and read by the service", {});
  // The fixed cost of filling and of reading, and the two calls around them.
  c.add(1, "fill_l1.call_s").add(1, "read_l1.call_s").add(2, "indirect_call.call_s");
  c.add(1, fill_cost(1, bytes));
  if (sharing == Sharing::local) return c.add(1, read_cost(1, bytes));
  if (!s->native_reader) return std::nullopt;
  if (s->reads_remotely)
    c.add(bytes + std::min(bytes, kHeldByPeer), "remote_read.byte_s");
  else
    c.add(1, read_cost(1, bytes));
  return c.add(
      1, sharing == Sharing::copy ? *message_cost(mechanism, bytes) : *crossing_cost(mechanism));
}

std::optional<DomainFootprint> domain_footprint(const std::string& mechanism) {
  const Structure* s = find(mechanism);
  if (s == nullptr) return std::nullopt;
  return s->footprint;
}

DensityBound density_bound(const DomainFootprint& domain, const HostLimits& host) {
  DensityBound bound{std::numeric_limits<double>::infinity(), ""};
  const auto consider = [&](double each, double all, const char* limit) {
    if (each <= 0 || all <= 0) return;
    const double n = std::floor(all / each);
    if (n < bound.domains) bound = {n, limit};
  };
  consider(domain.maps, host.maps, "vm.max_map_count");
  consider(domain.address_space, host.address_space, "address space");
  consider(domain.processes, host.processes, "tasks");
  consider(domain.descriptors, host.descriptors, "descriptors");
  consider(domain.memory, host.memory, "memory");
  return bound;
}

double break_even_switch_rate(double slow_down, double switch_s) {
  if (!(switch_s > 0) || !(slow_down >= 0))
    throw std::domain_error("a switch takes time, and a slow-down is not negative");
  return slow_down / switch_s;
}

}  // namespace missive
