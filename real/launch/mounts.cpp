#include "real/launch/mounts.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::launch {

namespace {

[[noreturn]] void fail(const std::string& what, const UniqueFd* context = nullptr) {
  const int error = errno;
  std::string why = std::strerror(error);
  std::array<char, 512> message;
  if (context != nullptr) {
    const ssize_t n = ::read(context->get(), message.data(), message.size());
    if (n > 0) why += " (" + std::string(message.data(), static_cast<std::size_t>(n)) + ")";
  }
  while (!why.empty() && why.back() == '\n') why.pop_back();
  if (error == EPERM || error == ENOSYS || error == ENODEV) {
    throw NotAvailable(what + ": " + why + "; needs root and Linux 5.12 or later");
  }
  throw RunError(what + ": " + why);
}

}  // namespace

UniqueFd new_mount(const std::string& type, const MountOptions& options, unsigned attributes) {
  const UniqueFd context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!context) fail("cannot open a " + type + " file system");
  for (const auto& [key, value] : options) {
    const int result =
        value.empty()
            ? ::fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
            : ::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
    if (result != 0) fail("cannot set " + type + " option " + key + "=" + value, &context);
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    fail("cannot create a " + type + " file system", &context);
  }
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
  if (!mount) fail("cannot mount a " + type + " file system", &context);
  return mount;
}

void make_read_only(const UniqueFd& mount) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    fail("cannot make a mount read-only");
  }
}

UniqueFd clone_mount(const std::string& path) {
  UniqueFd mount(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!mount) fail("cannot take a mount of " + path);
  return mount;
}

}  // namespace missive::launch
