#include "real/domains/limits.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::domains {

namespace fs = std::filesystem;

namespace {

constexpr char kPrefix[] = "missive-";

// Where this process's own group of a controller is mounted; empty when it is not.
struct Hierarchy {
  std::string directory;
  bool v2 = false;
};

// "/proc/self/cgroup": hierarchy-id:controllers:path.
std::map<std::string, std::string> own_groups() {
  std::map<std::string, std::string> groups;
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1) + ",");
    for (std::string name; std::getline(names, name, ',');) groups[name] = line.substr(second + 1);
    if (second == first + 1) groups[""] = line.substr(second + 1);  // version 2
  }
  return groups;
}

bool has_word(const std::string& list, const std::string& word, char separator) {
  std::istringstream in(list);
  for (std::string each; std::getline(in, each, separator);) {
    if (each == word) return true;
  }
  return false;
}

Hierarchy find_hierarchy(const std::string& controller) {
  const auto groups = own_groups();
  std::ifstream in("/proc/self/mounts");
  std::string device, directory, type, options, rest;
  while (in >> device >> directory >> type >> options && std::getline(in, rest)) {
    const bool v2 = type == "cgroup2";
    if (!v2 && !(type == "cgroup" && has_word(options, controller, ','))) continue;
    const auto own = groups.find(v2 ? "" : controller);
    if (own == groups.end()) continue;
    const std::string path = directory + (own->second == "/" ? "" : own->second);
    if (v2) {
      // Children have what the parent hands down.
      std::ifstream handed(path + "/cgroup.subtree_control");
      std::string names;
      std::getline(handed, names);
      if (!has_word(names, controller, ' ')) continue;
    }
    if (::access(path.c_str(), W_OK) == 0) return {path, v2};
  }
  return {};
}

void write_file(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw RunError("cannot set the limit " + path + ": " + std::strerror(errno));
  }
}

// False when one is left, which has members.
bool remove_groups_in(const std::string& directory) {
  std::error_code ignored;
  bool all = true;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    const pid_t owner = std::atoi(name.c_str() + sizeof kPrefix - 1);
    if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH)
      all = (::rmdir(entry.path().c_str()) == 0 || errno == ENOENT) && all;
  }
  return all;
}

bool sweep() {
  bool all = true;
  for (const char* controller : {"memory", "pids"}) {
    const std::string directory = find_hierarchy(controller).directory;
    if (!directory.empty()) all = remove_groups_in(directory) && all;
  }
  return all;
}

// Owners of groups in this process: the first one sweeps before it makes any, the last one after.
std::atomic<int> owners{0};

std::string unavailable() {
  for (const char* controller : {"memory", "pids"}) {
    if (find_hierarchy(controller).directory.empty()) {
      return std::string("no control group of '") + controller +
             "' that this user may add to (needs root, or a delegated cgroup)";
    }
  }
  return {};
}

}  // namespace

void remove_groups_of_the_dead(std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kMoment{5};
  for (const auto end = std::chrono::steady_clock::now() + patience;
       !sweep() && std::chrono::steady_clock::now() < end;)
    std::this_thread::sleep_for(kMoment);
}

std::string limits_unavailable() {
  static const std::string why = unavailable();
  return why;
}

// Delegates, so that the destructor removes what was made when a later step throws.
Limits::Limits(std::uint64_t memory_bytes, unsigned processes) : Limits() {
  if (const std::string why = limits_unavailable(); !why.empty()) throw NotAvailable(why);
  static std::atomic<unsigned> made{0};
  const std::string name =
      kPrefix + std::to_string(::getpid()) + "-" + std::to_string(made.fetch_add(1));
  if (owners.load() == 0) sweep();
  struct Limit {
    const char *controller, *v1, *v2;
    std::uint64_t value;
  };
  for (const Limit& limit : {Limit{"memory", "memory.limit_in_bytes", "memory.max", memory_bytes},
                             Limit{"pids", "pids.max", "pids.max", processes}}) {
    const Hierarchy where = find_hierarchy(limit.controller);
    const std::string path = where.directory + "/" + name;
    if (groups_.empty() || groups_.back().path != path) {
      if (::mkdir(path.c_str(), 0755) != 0) {
        const int error = errno;
        throw RunError("cannot make the control group " + path + ": " + std::strerror(error));
      }
      groups_.push_back({path, {}});
      if (groups_.size() == 1) owners.fetch_add(1);
      groups_.back().members.reset(::open((path + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
      if (!groups_.back().members) throw_errno("cannot open " + path + "/cgroup.procs");
    }
    write_file(path + "/" + (where.v2 ? limit.v2 : limit.v1), std::to_string(limit.value));
  }
}

bool Limits::join() const {
  for (const Group& group : groups_) {
    if (::write(group.members.get(), "0", 1) != 1) return false;
  }
  return true;
}

void Limits::close() {
  for (Group& group : groups_) group.members.reset();
}

Limits::~Limits() {
  using namespace std::chrono_literals;
  if (groups_.empty()) return;
  for (const Group& group : groups_) {
    // A process counts as a member for a moment after it was reaped.
    for (int i = 0; i < 500 && ::rmdir(group.path.c_str()) != 0 && errno == EBUSY; ++i) {
      std::this_thread::sleep_for(1ms);
    }
  }
  if (owners.fetch_sub(1) == 1) sweep();
}

}  // namespace missive::domains
