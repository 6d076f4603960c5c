// The verb `domains`: isolation mechanisms as they are, without an experiment.

#include <algorithm>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "harness/result_files.h"
#include "harness/result_table.h"
#include "harness/table.h"
#include "harness/verb_list.h"
#include "models/nearest.h"
#include "models/quantity.h"
#include "models/statistics.h"
#include "real/domains/cells/instructions.h"
#include "real/domains/domain.h"
#include "real/domains/message.h"
#include "real/domains/pie/dynamic.h"
#include "real/domains/requests.h"
#include "real/measure/clock.h"
#include "real/process.h"

namespace missive::harness {

namespace {

struct RunCommand {
  std::string name, entry = "hash", size = "4KiB";
  std::string format = "table";
  int calls = 1000;
  std::uint64_t seed = 1;
};

struct Claim {
  const char* name;
  bool domains::Containment::*claim;
};
constexpr Claim kClaims[] = {{"memory", &domains::Containment::memory},
                             {"control", &domains::Containment::control},
                             {"time", &domains::Containment::time},
                             {"system_calls", &domains::Containment::system_calls},
                             {"space", &domains::Containment::space}};

std::string claims_text(const domains::Containment& c, const char* separator) {
  std::string text;
  for (const Claim& claim : kClaims)
    if (c.*claim.claim) text += (text.empty() ? "" : separator) + std::string(claim.name);
  return text;
}

domains::Entry entry_of(const std::string& name) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(domains::Entry::sum); ++i) {
    const auto entry = static_cast<domains::Entry>(i);
    names.emplace_back(domains::name_of(entry));
    if (names.back() == name) return entry;
  }
  std::string all;
  for (const std::string& n : names) all += (all.empty() ? "" : ", ") + n;
  std::string hint = did_you_mean(name, names);
  throw InputError(fmt::format("--entry {}: unknown{}", name,
                               hint.empty() ? fmt::format("; one of {}", all) : hint));
}

std::size_t size_of(const std::string& text) {
  constexpr std::uint64_t kMost = 64ULL << 20U;
  try {
    const Bytes size = parse_bytes(text);
    if (size.count <= kMost) return size.count;
  } catch (const std::invalid_argument& e) {
    throw InputError(fmt::format("--size {}: {}", text, e.what()));
  }
  throw InputError(fmt::format("--size {}: too large; at most 64MiB", text));
}

struct Trial {
  double create = 0, first = 0, call = 0;
  std::size_t reply_bytes = 0;
};

// The domain's reply is held against the plain function's.
Trial try_domain(const domains::Mechanism& m, domains::Entry entry, std::size_t size, int calls) {
  const auto request = domains::make_request(entry, size, 1);
  std::vector<std::byte> reply(domains::reply_room(entry, request.size())), native(reply.size());
  domains::DomainOptions options;
  options.max_message = std::max({request.size(), reply.size(), options.max_message});
  Trial trial;
  std::unique_ptr<domains::Domain> domain;
  trial.create = measure::seconds_of([&] { domain = m.create(options); });
  trial.first =
      measure::seconds_of([&] { trial.reply_bytes = domain->call(entry, request, reply); });
  const std::int64_t expected = missive_service(
      static_cast<std::int32_t>(entry), domains::as_bytes(std::span<const std::byte>(request)),
      request.size(), domains::as_bytes(std::span<std::byte>(native)), native.size());
  if (expected != static_cast<std::int64_t>(trial.reply_bytes) ||
      std::memcmp(reply.data(), native.data(), trial.reply_bytes) != 0)
    throw RunError(m.name + ": its reply is not the native service's; please report it");
  std::vector<double> seconds;
  for (int i = 0; i < calls; ++i) {
    if (i % 256 == 0) check_interrupt();
    seconds.push_back(measure::seconds_of([&] { domain->call(entry, request, reply); }));
  }
  trial.call = median(seconds);
  return trial;
}

ExitStatus list(const std::string& format, Terminal& terminal) {
  install_interrupt_handler();
  if (format == "json") {
    Json all = Json::array();
    for (const domains::Mechanism& m : domains::mechanisms()) {
      check_interrupt();
      const std::string why_not = m.unavailable();
      Json claims = Json::object();
      for (const Claim& claim : kClaims) claims[claim.name] = m.claims.*claim.claim;
      all.push_back(Json{{"name", m.name},
                         {"what", m.what},
                         {"available", why_not.empty() ? Json(true) : Json(why_not)},
                         {"timed", domains::why_untimed(m).empty()},
                         {"same_process", m.same_process},
                         {"claims", std::move(claims)}});
    }
    terminal.out << all.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    return ExitStatus::ok;
  }
  if (format == "csv") terminal.out << "name,available,same_process,claims,what\n";
  Table table({"mechanism", "here", "claims to contain", "what, or why not here"});
  table.align_left(4);
  for (const domains::Mechanism& m : domains::mechanisms()) {
    check_interrupt();
    const std::string why_not = m.unavailable();
    if (format == "csv") {
      terminal.out << fmt::format("{},{},{},{},{}\n", m.name, why_not.empty(), m.same_process,
                                  csv_field(claims_text(m.claims, " ")),
                                  csv_field(why_not.empty() ? m.what : why_not));
      continue;
    }
    const std::string claims = claims_text(m.claims, ", ");
    const std::string untimed = domains::why_untimed(m);
    table.add({m.name, why_not.empty() ? "yes" : "NO", claims.empty() ? "nothing" : claims,
               !why_not.empty()  ? why_not
               : untimed.empty() ? m.what
                                 : m.what + "; not timed: " + untimed});
  }
  if (format != "csv") terminal.out << table.text();
  return ExitStatus::ok;
}

// Creates one domain, checks its reply against the native service's, and says what it took.
ExitStatus run(const RunCommand& command, Terminal& terminal) {
  const domains::Mechanism& m = domains::mechanism(command.name);
  const domains::Entry entry = entry_of(command.entry);
  const std::size_t size = size_of(command.size);
  install_interrupt_handler();
  if (m.prepare) m.prepare();
  if (const std::string why_not = m.unavailable(); !why_not.empty())
    throw NotAvailable(m.name + ": " + why_not);
  const std::string untimed = domains::why_untimed(m);
  const Trial t = try_domain(m, entry, size, untimed.empty() ? command.calls : 1);
  const auto json_time = [&](double seconds) { return untimed.empty() ? Json(seconds) : Json(); };
  const auto csv_time = [&](double s) { return untimed.empty() ? round_trip(s) : std::string(); };
  if (command.format == "json") {
    Json out{{"mechanism", m.name},
             {"entry", command.entry},
             {"request_bytes", size},
             {"reply_bytes", t.reply_bytes},
             {"create_s", json_time(t.create)},
             {"first_call_s", json_time(t.first)},
             {"call_s", json_time(t.call)},
             {"calls", command.calls}};
    if (!untimed.empty()) out["not_timed"] = untimed;
    terminal.out << out.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  } else if (command.format == "csv") {
    terminal.out << "mechanism,entry,request_bytes,reply_bytes,create_s,first_call_s,call_s,calls\n"
                 << fmt::format("{},{},{},{},{},{},{},{}\n", m.name, command.entry, size,
                                t.reply_bytes, csv_time(t.create), csv_time(t.first),
                                csv_time(t.call), command.calls);
  } else {
    terminal.out << fmt::format("{}: {} of {} -> {} bytes, the native service's reply\n", m.name,
                                command.entry, missive::to_string(Bytes{size}), t.reply_bytes)
                 << (untimed.empty()
                         ? fmt::format("  created in {}, first call {}, median of {} calls {}\n",
                                       seconds_text(t.create), seconds_text(t.first), command.calls,
                                       seconds_text(t.call))
                         : "  not timed: " + untimed + '\n');
  }
  return ExitStatus::ok;
}

// An unmodified program inside this process, with what it says and how it ends.
ExitStatus execute(const std::string& program, const std::vector<std::string>& arguments,
                   Terminal& terminal) {
  domains::pie::ProgramOptions options;
  options.arguments = arguments;
  domains::pie::ProgramResult result;
  const double seconds =
      measure::seconds_of([&] { result = domains::pie::run_program(program, options); });
  terminal.out << result.out << std::flush;
  terminal.err << result.err;
  if (terminal.progress)
    terminal.err << fmt::format("{}: loaded, run and unloaded in {}\n", program,
                                seconds_text(seconds));
  if (result.status == 0) return ExitStatus::ok;
  throw RunError(program + (result.signal == 0
                                ? fmt::format(": exit status {}", result.status)
                                : fmt::format(": ended by signal {}", result.signal)));
}

// What valgrind is made to run (real/domains/cells/instructions.h).
ExitStatus counted(const RunCommand& command) {
  const domains::Mechanism& m = domains::mechanism(command.name);
  if (const std::string why_not = m.unavailable(); !why_not.empty())
    throw NotAvailable(m.name + ": " + why_not);
  domains::counted_calls(m, entry_of(command.entry), size_of(command.size), command.seed);
  return ExitStatus::ok;
}

void add_list(Verb& domains, const std::shared_ptr<RunCommand>& command) {
  Verb& verb = domains.add("list", "name, whether it runs here, what it claims");
  add_format(verb, command->format);
  verb.action = [command](Terminal& terminal) { return list(command->format, terminal); };
}

void add_run(Verb& domains, const std::shared_ptr<RunCommand>& command) {
  Verb& verb = domains.add("run", "create one domain and call it");
  verb.option("NAME", command->name, "mechanism, as listed", {.required = true});
  verb.option("--entry", command->entry,
              "what it computes: null, hash, sort, json_scan, lookup, walk, sum",
              {.default_text = "hash"});
  verb.option("--size", command->size, "bytes of the request", {.default_text = "4KiB"});
  verb.option("--calls", command->calls, "timed calls",
              {.between = {{1, 10'000'000}}, .default_text = "1000"});
  add_format(verb, command->format);
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

struct ExecCommand {
  std::string program;
  std::vector<std::string> arguments;
};

void add_exec(Verb& domains) {
  Verb& verb = domains.add(
      "exec", "run a dynamic program of this system, /bin/ls, unmodified in this process");
  auto command = std::make_shared<ExecCommand>();
  verb.option("PROGRAM", command->program, "its path; everything behind it is the program's own",
              {.required = true});
  verb.rest = &command->arguments;
  verb.action = [command](Terminal& terminal) {
    return execute(command->program, command->arguments, terminal);
  };
}

void add_counted(Verb& domains, const std::shared_ptr<RunCommand>& command) {
  Verb& verb = domains.add("counted", "for valgrind: a kernel natively, in the domain, and null");
  verb.hidden = true;
  verb.option("NAME", command->name, "mechanism, as listed", {.required = true});
  verb.option("--entry", command->entry, "kernel");
  verb.option("--size", command->size, "bytes of the request");
  verb.option("--seed", command->seed, "of the request");
  verb.action = [command](Terminal&) { return counted(*command); };
}

}  // namespace

void add_domains_verb(Verb& program) {
  Verb& domains = program.add(
      "domains", "list isolation mechanisms, call one, or run a program in this process");
  const auto command = std::make_shared<RunCommand>();
  add_list(domains, command);
  add_run(domains, command);
  add_exec(domains);
  add_counted(domains, command);
}

}  // namespace missive::harness
