#include "real/launch/init/mounts.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "real/launch/init/system.h"

namespace missive::launch::init {

namespace {

// The directories of the first root that start() moves into the delivered one.
struct Scratch {
  const char* name;         // below the first root
  const char* destination;  // below the delivered root
  const char* mode;
  unsigned attributes;
};
constexpr unsigned kNoDevices = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::array kScratch{
    Scratch{"tmp", "root/tmp", "1777", kNoDevices},
    Scratch{"run", "root/run", "755", kNoDevices},
    Scratch{"home", "root/home", "755", kNoDevices},
    Scratch{"vartmp", "root/var/tmp", "1777", kNoDevices},
    Scratch{"dev", "root/dev", "755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC},
};

struct Device {
  const char* name;
  const char* host;
  unsigned major, minor;
};
constexpr std::array kDevices{
    Device{"dev/null", "/dev/null", 1, 3},       Device{"dev/zero", "/dev/zero", 1, 5},
    Device{"dev/full", "/dev/full", 1, 7},       Device{"dev/random", "/dev/random", 1, 8},
    Device{"dev/urandom", "/dev/urandom", 1, 9}, Device{"dev/tty", "/dev/tty", 5, 0},
};

// A new file system as a detached mount, or -1.
int mount_fd(const char* type, const char* key, const char* value, unsigned attributes) {
  const int context = call_int(SYS_fsopen, type, FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  int mount = -1;
  if ((key == nullptr || call(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0) == 0) &&
      call(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    mount = call_int(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  }
  const int error = last_error();
  call(SYS_close, context);
  last_error() = error;
  return mount;
}

bool attach(int mount, int directory, const char* name) {
  return call(SYS_move_mount, mount, "", directory, name, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

// Mounts a new file system on `name` below `root`.
bool mount_at(int root, const char* name, const char* type, const char* key, const char* value,
              unsigned attributes) {
  if (call(SYS_mkdirat, root, name, 0755) != 0 && last_error() != EEXIST) return false;
  const int mount = mount_fd(type, key, value, attributes);
  if (mount < 0) return false;
  const bool done = attach(mount, root, name);
  call(SYS_close, mount);
  return done;
}

bool make_device(int root, const Device& device) {
  if (call(SYS_mknodat, root, device.name, S_IFCHR | 0666, device.major << 8 | device.minor) == 0) {
    return call(SYS_fchmodat, root, device.name, 0666) == 0;
  }
  if (last_error() != EPERM) return false;
  // In a user namespace nobody may make devices: borrow the host's, this one node only.
  const int file = call_int(SYS_openat, root, device.name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
  const int mount =
      call_int(SYS_open_tree, AT_FDCWD, device.host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  const bool done = file >= 0 && mount >= 0 && attach(mount, root, device.name);
  call(SYS_close, file);
  call(SYS_close, mount);
  return done;
}

bool make_devices(int root) {
  for (const Device& device : kDevices) {
    if (!make_device(root, device)) return false;
  }
  return mount_at(root, "dev/shm", "tmpfs", "mode", "1777", kNoDevices) &&
         mount_at(root, "dev/pts", "devpts", "ptmxmode", "0666",
                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) &&
         call(SYS_symlinkat, "pts/ptmx", root, "dev/ptmx") == 0 &&
         call(SYS_symlinkat, "/proc/self/fd", root, "dev/fd") == 0 &&
         call(SYS_symlinkat, "/proc/self/fd/0", root, "dev/stdin") == 0 &&
         call(SYS_symlinkat, "/proc/self/fd/1", root, "dev/stdout") == 0 &&
         call(SYS_symlinkat, "/proc/self/fd/2", root, "dev/stderr") == 0;
}

// A directory of the application's user; of this one where that one does not exist (EINVAL).
bool give(int root, const char* path, mode_t mode, bool& maps_user) {
  if (call(SYS_mkdirat, root, path, mode) != 0) return false;
  if (!maps_user || call(SYS_fchownat, root, path, kUser, kUser, 0) == 0) return true;
  maps_user = false;
  return last_error() == EINVAL;
}

bool make_scratch(int root, bool& maps_user) {
  for (const Scratch& each : kScratch) {
    if (!mount_at(root, each.name, "tmpfs", "mode", each.mode, each.attributes)) return false;
  }
  return give(root, "home/u", 0755, maps_user) && call(SYS_mkdirat, root, "run/user", 0755) == 0 &&
         give(root, "run/user/1000", 0700, maps_user) &&
         call(SYS_mkdirat, root, "run/lock", 01777) == 0 &&
         call(SYS_mkdirat, root, "tmp/.X11-unix", 01777) == 0;
}

bool loopback_up() {
  const int probe = call_int(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool done = call(SYS_ioctl, probe, SIOCSIFFLAGS, &request) == 0;
  call(SYS_close, probe);
  return done;
}

bool place_display(int display, const char* name) {
  const int directory = call_int(SYS_open, "/tmp/.X11-unix", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  const int file = call_int(SYS_openat, directory, name,
                            O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
  const bool done = file >= 0 && attach(display, directory, name);
  call(SYS_close, file);
  call(SYS_close, directory);
  return done;
}

}  // namespace

Step prepare_mounts(bool full, bool& maps_user) {
  if (call(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return Step::make_private;
  call(SYS_umask, 0);
  const int root = mount_fd("tmpfs", "mode", "755", kNoDevices);
  // Placed over "/": path look-ups still start below it, file-descriptor-relative ones in it.
  if (root < 0 || !attach(root, AT_FDCWD, "/") || call(SYS_mkdirat, root, "root", 0755) != 0) {
    return Step::new_root;
  }
  if (!make_scratch(root, maps_user)) return Step::scratch;
  if (!make_devices(root)) return Step::devices;
  if (!mount_at(root, "proc", "proc", nullptr, nullptr, kNoDevices | MOUNT_ATTR_NOEXEC)) {
    return Step::process_list;
  }
  // pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one, then goes.
  if (call(SYS_fchdir, root) != 0 || call(SYS_pivot_root, ".", ".") != 0 ||
      call(SYS_umount2, ".", MNT_DETACH) != 0 || call(SYS_chdir, "/") != 0) {
    return Step::leave_host;
  }
  call(SYS_close, root);
  call(SYS_umask, 022);
  if (!full) return Step::none;
  if (!loopback_up()) return Step::loopback;
  constexpr char kName[] = "picoprocess";
  call(SYS_sethostname, kName, sizeof kName - 1);  // a failure changes nothing that matters
  return Step::none;
}

Step place_root(int root, int display, const char* display_name) {
  if (display >= 0 && !place_display(display, display_name)) return Step::display;
  if (!attach(root, AT_FDCWD, "/root")) return Step::place_root;
  for (const Scratch& each : kScratch) {
    if (call(SYS_move_mount, AT_FDCWD, each.name, AT_FDCWD, each.destination, 0) != 0) {
      return Step::place_scratch;
    }
  }
  if (call(SYS_move_mount, AT_FDCWD, "proc", AT_FDCWD, "root/proc", 0) != 0)
    return Step::place_scratch;
  // As switch_root(8) does: what is left below "/" is an empty private tmpfs. Moving is cheaper
  // than a second pivot_root and umount, which waits for an RCU grace period.
  if (call(SYS_chdir, "root") != 0 || call(SYS_move_mount, AT_FDCWD, ".", AT_FDCWD, "/", 0) != 0 ||
      call(SYS_chroot, ".") != 0) {
    return Step::enter_root;
  }
  return Step::none;
}

}  // namespace missive::launch::init
