// zar mount: an image as a read-only file system, until interrupted.

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "harness/zar/zar_verb.h"
#include "real/launch/delivery.h"
#include "real/process.h"
#include "real/zar/parallel.h"

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4  // move_mount(2); older C libraries lack it
#endif

namespace missive::harness {

namespace {

struct MountCommand {
  std::string image, directory, name;
};

// A mount that goes with this object, even while files in it are open.
class Attached {
 public:
  Attached(int mount, std::string directory) : directory_(std::move(directory)) {
    if (::syscall(SYS_move_mount, mount, "", AT_FDCWD, directory_.c_str(),
                  MOVE_MOUNT_F_EMPTY_PATH) != 0)
      throw_errno("cannot mount on " + directory_);
  }
  ~Attached() { ::umount2(directory_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  std::string directory_;
};

bool is_mount_point(const std::string& directory, dev_t outside) {
  struct stat st {};
  return ::stat(directory.c_str(), &st) == 0 && st.st_dev != outside;
}

ExitStatus run(const MountCommand& command, Terminal& terminal) {
  const OpenImage open(command.image);
  if (!command.name.empty() && zar::make_recipe(open.image, zar::thread_count(0)).name() !=
                                   zar::digest_from_hex(command.name))
    throw RunError(fmt::format("{}: it is not the image {}; nothing was mounted", command.image,
                               command.name));
  struct stat st {};
  if (::stat(command.directory.c_str(), &st) != 0 || !S_ISDIR(st.st_mode))
    throw InputError(fmt::format("{}: no directory to mount on; make it first", command.directory));
  const dev_t outside = st.st_dev;
  if (const std::string why = launch::fuse_unavailable(); !why.empty())
    throw NotAvailable(fmt::format("zar mount: {}", why));
  install_interrupt_handler();
  const auto delivery = launch::make_fuse_delivery();
  const UniqueFd mount = delivery->deliver(open.image, nullptr);
  const Attached attached(mount.get(), command.directory);
  terminal.err << fmt::format("{} is mounted on {}; interrupt to take it away\n", command.image,
                              command.directory)
               << std::flush;
  // Until interrupted, or somebody else unmounts it.
  while (!interrupt_requested() && is_mount_point(command.directory, outside))
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return ExitStatus::ok;
}

}  // namespace

void add_zar_mount(Verb& zar) {
  Verb& verb =
      zar.add("mount", "serve an image read-only on a directory, until interrupted (root, FUSE)");
  auto command = std::make_shared<MountCommand>();
  verb.option("IMAGE", command->image, "image file", {.required = true});
  verb.option("DIRECTORY", command->directory, "an existing directory", {.required = true});
  verb.option("--name", command->name, "first check that this is the image's name");
  verb.action = [command](Terminal& terminal) { return run(*command, terminal); };
}

}  // namespace missive::harness
