#include "harness/context.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

#include <sys/utsname.h>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

// MISSIVE_VERSION, MISSIVE_COMMIT (may be empty) and MISSIVE_BUILD_TYPE come from CMakeLists.txt.

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

// The first line of a small file of proc(5) or sysfs(5), if it is there.
std::optional<std::string> line_of(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  if (!std::getline(stream, line)) return std::nullopt;
  return line;
}

// "key : value" of /proc/cpuinfo and /proc/meminfo: the first one of that key.
std::optional<std::string> field_of(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    if (line.find_first_not_of(" \t", key.size()) != colon) continue;
    const auto first = line.find_first_not_of(" \t", colon + 1);
    return first == std::string::npos ? std::string{} : line.substr(first);
  }
  return std::nullopt;
}

Json text_or_null(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

// They move system call and context switch costs more than most mechanisms differ.
Json mitigations() {
  std::map<std::string, std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/sys/devices/system/cpu/vulnerabilities", error))
    if (const auto line = line_of(entry.path())) found[entry.path().filename().string()] = *line;
  if (found.empty()) return nullptr;
  return found;
}

Json hypervisor() {
  const auto flags = field_of("/proc/cpuinfo", "flags");
  if (!flags) return nullptr;
  if ((" " + *flags + " ").find(" hypervisor ") == std::string::npos) return "none";
  const auto vendor = line_of("/sys/class/dmi/id/sys_vendor");
  return vendor && !vendor->empty() ? *vendor : "unnamed";
}

Json memory_bytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || size <= 0) return nullptr;
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size);
}

// "always [madvise] never" -> "madvise"
Json transparent_huge_pages() {
  const auto line = line_of("/sys/kernel/mm/transparent_hugepage/enabled");
  if (!line) return nullptr;
  const auto open = line->find('['), close = line->find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return *line;
  return line->substr(open + 1, close - open - 1);
}

Json load_averages() {
  double load[3];
  if (::getloadavg(load, 3) != 3) return nullptr;
  return Json::array({load[0], load[1], load[2]});
}

std::string compiler() {
#ifdef __clang__
  return fmt::format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

}  // namespace

Json host_context() {
  Json context = Json::object();
  auto cpu = field_of("/proc/cpuinfo", "model name");
  if (!cpu) cpu = field_of("/proc/cpuinfo", "Model");
  // Virtual machines give several kinds the same name.
  if (const auto family = field_of("/proc/cpuinfo", "cpu family"); cpu && family)
    *cpu += " (family " + *family + ")";
  context["cpu"] = text_or_null(cpu);
  context["cores"] = std::thread::hardware_concurrency();
  utsname names{};
  context["kernel"] =
      ::uname(&names) == 0
          ? Json(fmt::format("{} {} {}", names.sysname, names.release, names.machine))
          : Json(nullptr);
  context["mitigations"] = mitigations();
  context["hypervisor"] = hypervisor();
  context["memory_bytes"] = memory_bytes();
  context["page_size"] = ::sysconf(_SC_PAGESIZE);
  context["transparent_huge_pages"] = transparent_huge_pages();
  context["governor"] =
      text_or_null(line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
  context["clock_source"] =
      text_or_null(line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
  context["version"] = MISSIVE_VERSION;
  context["compiler"] = compiler();
  context["build_type"] = MISSIVE_BUILD_TYPE;
  const std::string commit = MISSIVE_COMMIT;
  context["commit"] = commit.empty() ? Json(nullptr) : Json(commit);
  context["date"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  context["load"] = load_averages();
  context["mechanisms"] = Json::object();
  return context;
}

Json mechanisms(const std::vector<DoctorEntry>& entries) {
  Json all = Json::object();
  for (const DoctorEntry& entry : entries)
    if (!all.contains(entry.name))  // the picoprocess of launches comes before that of domains
      all[entry.name] = entry.available ? Json(true) : Json(entry.detail);
  return all;
}

std::string version_text() {
  const std::string commit = MISSIVE_COMMIT;
  return fmt::format("{} ({}{}, {})", MISSIVE_VERSION,
                     commit.empty() ? "" : fmt::format("commit {}, ", commit), MISSIVE_BUILD_TYPE,
                     compiler());
}

}  // namespace missive::harness
