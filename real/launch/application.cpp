#include "real/launch/application.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

#include <pwd.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::launch {

namespace fs = std::filesystem;

const std::vector<Application>& applications() {
  static const std::vector<Application> all = {
      {"gnumeric",
       {"gnumeric"},
       {"dbus-run-session", "--", "gnumeric"},
       ReadyMark::first_window,
       "spreadsheet; 98 MB of files opened by its start"},
      {"abiword",
       {"abiword"},
       {"dbus-run-session", "--", "abiword"},
       ReadyMark::first_window,
       "word processor; 139 MB of files opened by its start"},
      {"python3",
       {"python3"},
       {"python3", "-I", "-c", "import json, decimal, email.message; print('ready', flush=True)"},
       ReadyMark::first_output,
       "interpreter that imports a few modules; no window, for quick runs"},
  };
  return all;
}

namespace {

// Levenshtein distance: how many letters to change, add or drop.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

const Application& application(const std::string& name) {
  const auto& all = applications();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Application& each) { return each.name == name; });
  if (found != all.end()) return *found;
  // Only a printable, short name is worth repeating to the user.
  const std::string shown = name.substr(0, 64);
  const auto nearest =
      std::min_element(all.begin(), all.end(), [&](const Application& a, const Application& b) {
        return distance(a.name, shown) < distance(b.name, shown);
      });
  std::string known;
  for (const Application& each : all) known += (known.empty() ? "" : ", ") + each.name;
  throw InputError("unknown application \"" + shown + "\"; did you mean \"" + nearest->name +
                   "\"? (known: " + known + ")");
}

std::vector<std::string> environment_for(const Application&, const std::string& display) {
  std::vector<std::string> variables = {
      "PATH=/usr/local/bin:/usr/bin:/bin:/usr/games",
      "HOME=/home/u",
      "USER=u",
      "LOGNAME=u",
      "SHELL=/bin/sh",
      "LANG=C.UTF-8",
      "XDG_RUNTIME_DIR=/run/user/1000",
      // No accessibility bus and no GPU in a picoprocess: asking for them only costs time-outs.
      "NO_AT_BRIDGE=1",
      "LIBGL_ALWAYS_SOFTWARE=1",
  };
  if (!display.empty()) variables.push_back("DISPLAY=" + display);
  return variables;
}

fs::path home() {
  const auto variable = [](const char* name) -> fs::path {
    const char* value = std::getenv(name);
    return value == nullptr ? fs::path() : fs::path(value);
  };
  if (const fs::path own = variable("MISSIVE_HOME"); !own.empty()) return own;
  if (const fs::path cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "missive-sim";
  }
  fs::path user = variable("HOME");
  if (user.empty()) {
    const passwd* entry = ::getpwuid(::getuid());
    user = entry == nullptr ? fs::path("/tmp") : fs::path(entry->pw_dir);
  }
  return user / ".cache" / "missive-sim";
}

fs::path data_dir() {
  if (const char* given = std::getenv("MISSIVE_DATA_DIR"); given != nullptr && *given != '\0') {
    return given;
  }
  const auto holds = [](const fs::path& directory) {
    std::error_code ignored;
    return fs::exists(directory / "scripts" / "app-root", ignored);
  };
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path installed = program.parent_path().parent_path() / "share" / "missive-sim";
    if (holds(installed)) return installed;
  }
  // The source tree: this file is real/launch/application.cpp in it.
  const fs::path source = fs::path(__FILE__).parent_path().parent_path().parent_path();
  if (holds(source)) return source;
  throw RunError(
      "the project's data files (scripts/app-root, traces/) are not found; set MISSIVE_DATA_DIR");
}

fs::path trace_file(const Application& application) {
  return data_dir() / "traces" / "launch" / (application.name + ".trace.gz");
}

}  // namespace missive::launch
