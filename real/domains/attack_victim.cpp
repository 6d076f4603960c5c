#include "real/domains/attack_victim.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/domains/service/attack.h"
#include "real/domains/service/service.h"
#include "real/fd.h"

namespace missive::domains {

namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kSecret = 32;
constexpr std::uint64_t kIntact = 0x5afe'5afe'5afe'5afe;

// The host's memory that attacks aim at.
struct Bait {
  std::array<char, kSecret> fresh;      // filled in after the domains were made
  std::array<char, kSecret> inherited;  // before
  volatile std::uint64_t canary;
};
Bait* bait = nullptr;

void jump_target() { bait->canary = 0; }

void fill_with_secret(std::array<char, kSecret>& secret) {
  std::random_device random;
  for (char& c : secret) c = static_cast<char>('a' + random() % 26);
}

Bytes words(std::initializer_list<std::uint64_t> values) {
  Bytes bytes(values.size() * 8);
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

Bytes argument_of(const VictimOrder& order) {
  const auto address = [](const volatile void* p) { return reinterpret_cast<std::uintptr_t>(p); };
  switch (order.attack) {
    case Attack::wild_read:
      return words({address(&bait->fresh), kSecret});
    case Attack::inherited_read:
      return words({address(&bait->inherited), kSecret});
    case Attack::wild_write:
      return words({address(&bait->canary), ~kIntact});
    case Attack::wild_jump:
      return words({reinterpret_cast<std::uintptr_t>(&jump_target)});
    case Attack::stack_overflow:
      return words({std::uint64_t{1} << 40});
    case Attack::memory_hog:
      return words({order.hog_bytes});
    case Attack::fork_bomb:
      return words({order.children});
    case Attack::kill_parent:
      return words(
          {static_cast<std::uint64_t>(::getpid()), static_cast<std::uint64_t>(::getppid())});
    case Attack::open_host_file: {
      Bytes path(order.secret_file.size() + 1);
      std::memcpy(path.data(), order.secret_file.c_str(), path.size());
      return path;
    }
    default:
      return words({1, 2, 3, 4});
  }
}

bool contains(const Bytes& reply, std::string_view secret) {
  return std::string_view(reinterpret_cast<const char*>(reply.data()), reply.size()).find(secret) !=
         std::string_view::npos;
}

// Empty when the domain computes a hash as this process does.
std::string check_answer(Domain& domain) {
  const Bytes request(100, std::byte{7});
  std::array<std::byte, 32> got{}, expected{};
  missive_service(static_cast<std::int32_t>(Entry::hash),
                  reinterpret_cast<const std::uint8_t*>(request.data()), request.size(),
                  reinterpret_cast<std::uint8_t*>(expected.data()), expected.size());
  try {
    if (domain.call(Entry::hash, request, got) == got.size() && got == expected) return {};
    return "its answer is wrong";
  } catch (const std::exception& e) {
    return e.what();
  }
}

void prepare_this_process() {
  ::setsid();  // a signal to the process group stays here
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(SIGALRM, SIG_DFL);
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (null) ::dup2(null.get(), 2);  // what sanitizers and tools have to say about an attack
}

void set_alarm(std::chrono::milliseconds after) {
  itimerval timer{};
  timer.it_value.tv_sec = after.count() / 1000;
  timer.it_value.tv_usec = after.count() % 1000 * 1000;
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

void attack_once(const VictimOrder& order, Domain& hostile, VictimReport& report) {
  const Bytes given = argument_of(order);
  Bytes argument = given;
  Bytes reply(256);
  report.capacity = reply.size();
  const auto begin = std::chrono::steady_clock::now();
  set_alarm(order.patience);
  try {
    report.length = hostile.call(entry_of(order.attack), argument, reply);
    report.end = VictimReport::End::returned;
  } catch (const DomainFault& e) {
    report.end = VictimReport::End::fault;
    report.text = e.what();
  } catch (const std::exception& e) {
    report.end = VictimReport::End::refused;
    report.text = e.what();
  }
  set_alarm(std::chrono::milliseconds(0));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  report.argument_changed = argument != given;
  report.memory_changed = bait->canary != kIntact;
  const auto secret_of = [](const auto& s) { return std::string_view(s.data(), s.size()); };
  report.secret_read = contains(reply, secret_of(bait->fresh)) ||
                       contains(reply, secret_of(bait->inherited)) ||
                       contains(reply, order.file_secret);
  report.not_applicable =
      report.length == sizeof MISSIVE_NOT_APPLICABLE - 1 && contains(reply, MISSIVE_NOT_APPLICABLE);
  std::memcpy(&report.amount, reply.data(), sizeof report.amount);
}

// A moment is granted: the end of an orphan is noticed by whoever adopted it.
unsigned count_left_behind(std::chrono::milliseconds moment) {
  using namespace std::chrono_literals;
  const auto end = std::chrono::steady_clock::now() + moment;
  for (;;) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    const auto left = static_cast<unsigned>(descendants(::getpid()).size());
    if (left == 0 || std::chrono::steady_clock::now() >= end) return left;
    std::this_thread::sleep_for(10ms);
  }
}

}  // namespace

VictimReport suffer(const VictimOrder& order) {
  prepare_this_process();
  Mapping memory = Mapping::anonymous(sizeof(Bait), "bait");
  bait = new (memory.writable().data()) Bait{};
  bait->canary = kIntact;
  fill_with_secret(bait->inherited);
  VictimReport report;
  {
    DomainOptions options;
    options.max_message = 4096;
    const auto bystander = order.with_bystander ? order.mechanism->create(options) : nullptr;
    options.deadline = order.deadline;
    const auto hostile = order.mechanism->create(options);
    if (bystander) bystander->call(Entry::null, {}, {});
    hostile->call(Entry::null, {}, {});
    fill_with_secret(bait->fresh);
    attack_once(order, *hostile, report);
    if (bystander) report.bystander = check_answer(*bystander);
  }
  report.left_behind = count_left_behind(
      std::chrono::milliseconds(order.mechanism->claims.system_calls ? 1'000 : 100));
  kill_descendants();
  return report;
}

std::vector<pid_t> descendants(pid_t pid) {
  std::multimap<pid_t, pid_t> children;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const pid_t each = std::atoi(entry.path().filename().c_str());
    if (each <= 0) continue;
    std::ifstream in(entry.path() / "stat");
    std::string line;
    std::getline(in, line);
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream rest(line.substr(name_end + 1));
    char state = 0;
    pid_t parent = 0;
    if (rest >> state >> parent) children.emplace(parent, each);
  }
  std::vector<pid_t> found{pid};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [first, last] = children.equal_range(found[i]);
    std::for_each(first, last, [&found](const auto& e) { found.push_back(e.second); });
  }
  found.erase(found.begin());
  return found;
}

void kill_descendants() {
  for (int i = 0; i < 1000; ++i) {
    const auto left = descendants(::getpid());
    if (left.empty()) return;
    for (const pid_t each : left) ::kill(each, SIGKILL);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void to_json(nlohmann::json& j, const VictimReport& r) {
  j = {{"end", static_cast<int>(r.end)},
       {"text", r.text},
       {"length", r.length},
       {"capacity", r.capacity},
       {"not_applicable", r.not_applicable},
       {"memory_changed", r.memory_changed},
       {"secret_read", r.secret_read},
       {"argument_changed", r.argument_changed},
       {"amount", r.amount},
       {"bystander", r.bystander},
       {"left_behind", r.left_behind},
       {"seconds", r.seconds}};
}

void from_json(const nlohmann::json& j, VictimReport& r) {
  r.end = static_cast<VictimReport::End>(j.at("end").get<int>());
  j.at("text").get_to(r.text);
  j.at("length").get_to(r.length);
  j.at("capacity").get_to(r.capacity);
  j.at("not_applicable").get_to(r.not_applicable);
  j.at("memory_changed").get_to(r.memory_changed);
  j.at("secret_read").get_to(r.secret_read);
  j.at("argument_changed").get_to(r.argument_changed);
  j.at("amount").get_to(r.amount);
  j.at("bystander").get_to(r.bystander);
  j.at("left_behind").get_to(r.left_behind);
  j.at("seconds").get_to(r.seconds);
}

}  // namespace missive::domains
