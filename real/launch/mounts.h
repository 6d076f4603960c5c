#pragma once
// Detached mounts: a file system that is mounted nowhere, held by a file descriptor until
// move_mount(2) puts it into place. They let a launcher prepare a root without the host's mount
// table ever seeing it, and vanish with their last descriptor. fsopen(2), fsmount(2), open_tree(2).

#include <string>
#include <utility>
#include <vector>

#include "real/fd.h"

namespace missive::launch {

using MountOptions = std::vector<std::pair<std::string, std::string>>;  // "" value: a flag

// A new file system instance. `attributes` are MOUNT_ATTR_* of fsmount(2). Throws RunError with
// the kernel's own explanation (fsopen(2): error strings are read from the context), or
// NotAvailable when the right is missing.
UniqueFd new_mount(const std::string& type, const MountOptions& options, unsigned attributes);

// Makes a detached mount read-only (mount_setattr(2)).
void make_read_only(const UniqueFd& mount);

// A detached copy of what is at `path` (a file or a directory; without what is mounted below).
UniqueFd clone_mount(const std::string& path);

}  // namespace missive::launch
