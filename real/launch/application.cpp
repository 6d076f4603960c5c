#include "real/launch/application.h"

#include <algorithm>
#include <cstdlib>

#include <pwd.h>
#include <unistd.h>

#include "models/error.h"
#include "models/nearest.h"
#include "real/data_dir.h"

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
      {"audacity",
       {"audacity"},
       {"dbus-run-session", "--", "audacity"},
       ReadyMark::first_window,
       "sound editor (wxWidgets); 93 MB of files opened by its start"},
      {"dillo",
       {"dillo"},
       {"dillo"},
       ReadyMark::first_window,
       "web browser (FLTK); 16 MB of files opened by its start"},
      {"emacs-gtk",
       {"emacs-gtk"},
       {"dbus-run-session", "--", "emacs"},
       ReadyMark::first_window,
       "editor (GTK, Lisp); 177 MB of files opened by its start"},
      {"evince",
       {"evince"},
       {"dbus-run-session", "--", "evince"},
       ReadyMark::first_window,
       "document viewer (GTK); 86 MB of files opened by its start"},
      {"geany",
       {"geany"},
       {"dbus-run-session", "--", "geany"},
       ReadyMark::first_window,
       "editor (GTK); 43 MB of files opened by its start"},
      {"gimp",
       {"gimp"},
       {"gimp"},
       ReadyMark::first_window,
       "image editor, to its splash window; 294 MB of files opened by its start"},
      {"inkscape",
       {"inkscape"},
       {"dbus-run-session", "--", "inkscape"},
       ReadyMark::first_window,
       "drawing program (gtkmm); 158 MB of files opened by its start"},
      {"mousepad",
       {"mousepad"},
       {"dbus-run-session", "--", "mousepad"},
       ReadyMark::first_window,
       "editor (GTK); 77 MB of files opened by its start"},
      {"xfig",
       {"xfig"},
       {"xfig"},
       ReadyMark::first_window,
       "drawing program (Xaw); 52 MB of files opened by its start"},
      {"xterm",
       {"xterm"},
       {"xterm"},
       ReadyMark::first_window,
       "terminal (Xaw); 10 MB of files opened by its start"},
      {"python3",
       {"python3"},
       {"python3", "-I", "-c", "import json, decimal, email.message; print('ready', flush=True)"},
       ReadyMark::first_output,
       "interpreter that imports a few modules; no window, for quick runs"},
  };
  return all;
}

const Application& application(const std::string& name) {
  const auto& all = applications();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Application& each) { return each.name == name; });
  if (found != all.end()) return *found;
  // Only a printable, short name is worth repeating to the user.
  const std::string shown = name.substr(0, 64);
  std::vector<std::string> names;
  std::string known;
  for (const Application& each : all) {
    names.push_back(each.name);
    known += (known.empty() ? "" : ", ") + each.name;
  }
  const std::string meant = nearest(shown, names);
  throw InputError("unknown application \"" + shown + "\"" +
                   (meant.empty() ? "" : "; did you mean \"" + meant + "\"?") +
                   " (known: " + known + ")");
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

fs::path trace_file(const Application& application) {
  return data_dir() / "traces" / "launch" / (application.name + ".trace.gz");
}

}  // namespace missive::launch
