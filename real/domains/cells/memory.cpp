#include "real/domains/cells/memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/resource.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::domains {

namespace fs = std::filesystem;

namespace {

// The number behind `key` in a file of "Key:   123 kB" lines, in bytes; false when it is not there.
bool kilobytes(const fs::path& file, const std::string& key, std::uint64_t& bytes) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t value = 0;
    if (words >> name >> value && name == key) {
      bytes = value * 1024;
      return true;
    }
  }
  return false;
}

// A process may be gone by the time it is looked at; it then has no memory.
void add_tree(const std::string& pid, std::uint64_t& sum) {
  const fs::path proc = fs::path("/proc") / pid;
  std::uint64_t own = 0;
  if (kilobytes(proc / "smaps_rollup", "Pss:", own)) sum += own;
  std::error_code gone;
  for (fs::directory_iterator task(proc / "task", gone), end; !gone && task != end;
       task.increment(gone)) {
    std::ifstream in(task->path() / "children");
    for (std::string child; in >> child;) add_tree(child, sum);
  }
}

std::uint64_t number_in(const char* file) {
  std::uint64_t value = 0;
  std::ifstream(file) >> value;
  return value;
}

std::uint64_t lines_in(const char* file) {
  std::ifstream in(file);
  std::uint64_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

std::uint64_t entries_in(const char* directory) {
  std::uint64_t n = 0;
  std::error_code gone;
  for (fs::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) ++n;
  return n;
}

// Threads of the whole system: /proc/loadavg's fourth word is "running/all".
std::uint64_t threads_of_host() {
  std::ifstream in("/proc/loadavg");
  std::string word;
  for (int i = 0; i < 4; ++i) in >> word;
  const auto slash = word.find('/');
  return slash == std::string::npos ? 0 : std::strtoull(word.c_str() + slash + 1, nullptr, 10);
}

void compare(std::string& out, const char* name, std::uint64_t used, std::uint64_t limit) {
  if (limit == 0 || used < limit - limit / 10) return;
  out += (out.empty() ? "" : ", ") + std::string(name) + ": " + std::to_string(used) + " of " +
         std::to_string(limit);
}

}  // namespace

std::uint64_t pss_of_tree() {
  std::uint64_t sum = 0;
  add_tree(std::to_string(::getpid()), sum);
  if (sum == 0) throw RunError("/proc/self/smaps_rollup gives no Pss; mount /proc");
  return sum;
}

std::uint64_t private_pages() {
  constexpr std::uint64_t kPage = 4096;
  std::uint64_t bytes = 0;
  if (!kilobytes("/proc/self/smaps_rollup", "Anonymous:", bytes))
    throw RunError("/proc/self/smaps_rollup gives no Anonymous; mount /proc");
  return bytes / kPage;
}

std::uint64_t memory_available() {
  std::uint64_t bytes = 0;
  if (!kilobytes("/proc/meminfo", "MemAvailable:", bytes))
    throw RunError("/proc/meminfo gives no MemAvailable; mount /proc");
  return bytes;
}

HostLimits host_limits() {
  HostLimits limits;
  const auto take = [](double& limit, std::uint64_t value) {
    if (value > 0) limit = static_cast<double>(value);
  };
  const auto less = [](double& limit, rlim_t value) {
    if (value != RLIM_INFINITY) limit = std::min(limit, static_cast<double>(value));
  };
  take(limits.maps, number_in("/proc/sys/vm/max_map_count"));
  take(limits.processes,
       std::min(number_in("/proc/sys/kernel/pid_max"), number_in("/proc/sys/kernel/threads-max")));
  rlimit r{};
  if (::getrlimit(RLIMIT_NPROC, &r) == 0) less(limits.processes, r.rlim_cur);
  if (::getrlimit(RLIMIT_AS, &r) == 0) less(limits.address_space, r.rlim_cur);
  if (::getrlimit(RLIMIT_NOFILE, &r) == 0) take(limits.descriptors, r.rlim_cur);
  limits.memory = static_cast<double>(memory_available());
  return limits;
}

std::string limits_nearly_met() {
  std::string out;
  compare(out, "vm.max_map_count", lines_in("/proc/self/maps"),
          number_in("/proc/sys/vm/max_map_count"));
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0)
    compare(out, "RLIMIT_NOFILE", entries_in("/proc/self/fd"), files.rlim_cur);
  compare(out, "kernel.pid_max", threads_of_host(), number_in("/proc/sys/kernel/pid_max"));
  compare(out, "kernel.threads-max", threads_of_host(), number_in("/proc/sys/kernel/threads-max"));
  return out;
}

}  // namespace missive::domains
