#pragma once
// Directories that one of the project's scripts makes once: roots of applications, the kernel of
// virtual machines. Later uses find them and need neither network nor rights.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace missive {

struct MadeOnce {
  std::string what;                  // for messages: "root of gnumeric"
  std::filesystem::path directory;   // its parent is made, for this user alone
  std::vector<std::string> command;  // the script's path, then arguments before ...
  std::vector<std::string> rest;     // ... and after the directory it is to make
  std::string how;                   // for progress: "building it with mmdebstrap"
};

// The directory, made if it is not there: in a temporary place that is renamed when complete, so
// that an interrupted run leaves no half of it. A lock makes a second process wait for the first.
// Exit status of the script: 0 done, 3 a tool or a right is missing, 4 offline, other: failed; the
// last line it writes to stderr says why. Throws NotAvailable (3, 4), RunError. `progress` gets
// one-line messages.
std::filesystem::path made_once(const MadeOnce& wanted,
                                const std::function<void(const std::string&)>& progress = {});

}  // namespace missive
