#include "real/domains/cells/instructions.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/domains/message.h"
#include "real/domains/requests.h"
#include "real/fd.h"
#include "real/measure/scratch.h"
#include "real/process.h"

// What callgrind looks for, by name: it counts only inside, and writes the sum down each time this
// returns (--toggle-collect, --dump-after; Valgrind manual, 6.4).
extern "C" [[gnu::noinline]] void missive_counted(const std::function<void()>& work) {
  work();
  asm volatile("" : : : "memory");
}

namespace missive::domains {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCounted = "missive_counted";

// What counted_calls() does, twice: the first time warms up.
enum Call : std::size_t { native, inside, null };
constexpr std::size_t kCalls = 3;

std::string valgrind() {
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "/usr/bin" : path;
  while (!rest.empty()) {
    const auto colon = std::min(rest.find(':'), rest.size());
    const std::string file = rest.substr(0, colon) + "/valgrind";
    if (::access(file.c_str(), X_OK) == 0) return file;
    rest.erase(0, colon + 1);
  }
  return {};
}

// Runs the words to their end; nothing of it outlives this process. Its exit status.
int run_to_end(const std::vector<std::string>& words, const fs::path& errors) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd err(::open(errors.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw_errno("starting valgrind");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(null.get(), STDIN_FILENO);
    ::dup2(null.get(), STDOUT_FILENO);
    ::dup2(err.get(), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (interrupt_requested()) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      check_interrupt();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

std::string last_line(const fs::path& file) {
  std::ifstream in(file);
  std::string last;
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) last = line;
  return last.empty() ? "it said nothing" : last;
}

// The counts of the second round. A dump has a line "totals: N" (callgrind's file format, Valgrind
// manual, 6.6).
std::vector<double> counts_in(const fs::path& folder) {
  std::vector<double> counts;
  for (std::size_t part = kCalls + 1; part <= 2 * kCalls; ++part) {
    std::ifstream in(folder / ("out." + std::to_string(part)));
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("totals: ")) counts.push_back(std::strtod(line.c_str() + 8, nullptr));
  }
  return counts;
}

std::vector<double> count(const Mechanism& m, Entry entry, const InstructionOptions& o) {
  const measure::ScratchDirectory folder;
  const std::vector<std::string> words{valgrind(),
                                       "--tool=callgrind",
                                       "--callgrind-out-file=" + (folder.path() / "out").string(),
                                       std::string("--toggle-collect=") + kCounted,
                                       std::string("--dump-after=") + kCounted,
                                       fs::canonical(o.program).string(),
                                       "domains",
                                       "counted",
                                       m.name,
                                       "--entry",
                                       name_of(entry),
                                       "--size",
                                       std::to_string(o.request_bytes) + "B",
                                       "--seed",
                                       std::to_string(o.seed)};
  const int status = run_to_end(words, folder.path() / "err");
  auto counts = counts_in(folder.path());
  if (status != 0 || counts.size() != kCalls || counts[native] <= 0 || counts[inside] <= 0)
    throw RunError(m.name + ": valgrind could not count the instructions of '" + name_of(entry) +
                   "': " + last_line(folder.path() / "err"));
  return counts;
}

}  // namespace

std::string instructions_unavailable(const Mechanism& mechanism) {
  static const bool there = !valgrind().empty();
  if (!there) return "valgrind is not installed; install the Debian package valgrind";
  if (!mechanism.same_process) return "the service runs where valgrind does not follow";
  if (mechanism.name == "thread" || mechanism.name == "coroutine")
    return "callgrind counts by the calls of one stack, and the service has another";
  if (mechanism.name.starts_with("wasm-") || mechanism.name == "call" ||
      mechanism.name == "safe-rust")
    return {};
  return "valgrind does not have what catches its guests' system calls";
}

CellResult measure_instructions(const Mechanism& mechanism, const InstructionOptions& options) {
  CellResult result{mechanism.name, {}, {}};
  const std::string why_not = instructions_unavailable(mechanism);
  const auto add = [&](const char* metric, Entry kernel, std::vector<double> values) {
    result.series.push_back({metric, name_of(kernel), options.request_bytes, "1", std::move(values),
                             why_not.empty() ? "" : "not counted: " + why_not});
  };
  for (const Entry kernel : options.kernels) {
    std::vector<double> counted_native, counted_inside, ratio;
    if (why_not.empty()) {
      const auto counts = count(mechanism, kernel, options);
      counted_native = {counts[native]};
      counted_inside = {counts[inside] - counts[null]};
      ratio = {counted_inside[0] / counted_native[0]};
    }
    add("execution.instructions_native", kernel, std::move(counted_native));
    add("execution.instructions", kernel, std::move(counted_inside));
    add("execution.instruction_ratio", kernel, std::move(ratio));
  }
  return result;
}

void counted_calls(const Mechanism& mechanism, Entry entry, std::size_t bytes, std::uint64_t seed) {
  const auto request = make_request(entry, bytes, seed);
  std::vector<std::byte> reply(reply_room(entry, request.size()));
  DomainOptions options;
  options.max_message = std::max({request.size(), reply.size(), options.max_message});
  options.deadline = std::chrono::milliseconds(0);
  const auto domain = mechanism.create(options);
  for (int i = 0; i < 2; ++i) {
    missive_counted([&] {
      native_service(static_cast<std::int32_t>(entry),
                     as_bytes(std::span<const std::byte>(request)), request.size(),
                     as_bytes(std::span<std::byte>(reply)), reply.size());
    });
    missive_counted([&] { domain->call(entry, request, reply); });
    missive_counted([&] { domain->call(Entry::null, request, reply); });
  }
}

}  // namespace missive::domains
