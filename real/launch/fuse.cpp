// Delivery "fuse": the files are served read-only, straight from the verified mapping, by a thread
// of the launcher (libfuse's low-level interface); nothing is copied but what is asked for.
//
// A FUSE request costs a round trip between two threads, so the point is to have almost none while
// the application starts:
//   - names, attributes, absent names and link targets are cached by the kernel for ever (the image
//     never changes), and so is content;
//   - open, opendir, flush and getxattr are answered once with ENOSYS: the kernel then does without
//     (FUSE_CAP_NO_OPEN_SUPPORT and friends, fuse_common.h);
//   - before the start the directories on the way to the launch runs are listed through the mount
//     (READDIRPLUS puts their entries into the dentry cache, many per request), and the runs
//     themselves are pushed into the page cache (FUSE_NOTIFY_STORE: one write(2) per run, no round
//     trip at all).

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/delivery.h"
#include "real/launch/launch_runs.h"
#include "real/launch/mounts.h"
#include "real/launch/picoprocess.h"

namespace missive::launch {

namespace {

// Seconds; the kernel cuts it off at what it can hold (time_to_jiffies in fs/fuse/dir.c).
constexpr double kForEver = 1e15;
constexpr std::uint64_t kPage = 4096;

// The image as a tree of inodes: inode number = index into entries() + 1, so "/" is FUSE_ROOT_ID.
class Tree {
 public:
  explicit Tree(const zar::Image& image) : image_(image) {
    const auto& entries = image.entries();
    parents_.resize(entries.size());
    first_.resize(entries.size() + 1);
    for (std::uint32_t i = 1; i < entries.size(); ++i) {
      const std::string_view path = entries[i].path;
      const std::size_t slash = path.rfind('/');
      // Entries of one directory mostly follow each other.
      const std::string_view parent = path.substr(0, std::max<std::size_t>(slash, 1));
      parents_[i] =
          i > 1 && entries[parents_[i - 1]].path == parent ? parents_[i - 1] : *image.find(parent);
      ++first_[parents_[i] + 1];
    }
    for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
    children_.resize(entries.empty() ? 0 : entries.size() - 1);
    std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
    // Entries are sorted by path, so the children of a directory come out sorted by name.
    for (std::uint32_t i = 1; i < entries.size(); ++i) children_[next[parents_[i]]++] = i;
  }

  const zar::Image& image() const { return image_; }
  const zar::Entry* entry(fuse_ino_t inode) const {
    return inode >= 1 && inode <= image_.entries().size() ? &image_.entries()[inode - 1] : nullptr;
  }
  std::uint32_t parent(std::uint32_t index) const { return parents_[index]; }
  std::span<const std::uint32_t> children(std::uint32_t index) const {
    return std::span(children_).subspan(first_[index], first_[index + 1] - first_[index]);
  }
  std::string_view name(std::uint32_t index) const {
    const std::string_view path = image_.entries()[index].path;
    return path.substr(path.rfind('/') + 1);
  }
  std::optional<std::uint32_t> child(std::uint32_t directory, std::string_view wanted) const {
    const auto all = children(directory);
    const auto at = std::lower_bound(
        all.begin(), all.end(), wanted,
        [&](std::uint32_t index, std::string_view text) { return name(index) < text; });
    if (at == all.end() || name(*at) != wanted) return std::nullopt;
    return *at;
  }
  struct stat attributes(std::uint32_t index) const {
    const zar::Entry& entry = image_.entries()[index];
    struct stat status {};
    status.st_ino = index + 1;
    status.st_mode = entry.mode | (entry.kind == zar::EntryKind::directory ? S_IFDIR
                                   : entry.kind == zar::EntryKind::symlink ? S_IFLNK
                                                                           : S_IFREG);
    status.st_nlink = entry.kind == zar::EntryKind::directory ? 2 : 1;
    status.st_size = static_cast<off_t>(entry.size);
    status.st_blocks = static_cast<blkcnt_t>((entry.size + 511) / 512);
    status.st_blksize = kPage;
    status.st_mtim.tv_sec = entry.mtime_ns / 1'000'000'000;
    status.st_mtim.tv_nsec = entry.mtime_ns % 1'000'000'000;
    if (status.st_mtim.tv_nsec < 0) {
      status.st_mtim.tv_nsec += 1'000'000'000;
      --status.st_mtim.tv_sec;
    }
    status.st_atim = status.st_ctim = status.st_mtim;
    return status;
  }

 private:
  const zar::Image& image_;
  std::vector<std::uint32_t> parents_, first_, children_;
};

class Server {
 public:
  Server();
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void serve(const zar::Image& image) { tree_.emplace(image), published_.store(&*tree_); }
  const Tree& tree() const { return *tree_; }
  // Puts content into the page cache. The kernel must know the inode: false when it does not.
  bool store(std::uint32_t entry, std::uint64_t offset, std::uint64_t bytes);
  UniqueFd& mount() { return mount_; }
  Served served() const {
    return {lookups_.load(), reads_.load(), bytes_read_.load(), others_.load()};
  }

  // Request handlers.
  void init(fuse_conn_info* connection) const;
  void lookup(fuse_req_t request, fuse_ino_t parent, const char* name);
  void getattr(fuse_req_t request, fuse_ino_t inode);
  void readlink(fuse_req_t request, fuse_ino_t inode);
  void read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset);
  void readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, bool plus);
  void refuse(fuse_req_t request, int error) {
    ++others_;
    fuse_reply_err(request, error);
  }

 private:
  const Tree* ready() const { return published_.load(std::memory_order_acquire); }
  fuse_entry_param parameter(const Tree& tree, std::uint32_t index) const;
  void run();

  UniqueFd stop_, mount_;
  fuse_session* session_ = nullptr;
  std::optional<Tree> tree_;
  std::atomic<const Tree*> published_{nullptr};
  std::atomic<std::uint64_t> lookups_{0}, reads_{0}, bytes_read_{0}, others_{0};
  std::thread thread_;
};

Server& of(fuse_req_t request) { return *static_cast<Server*>(fuse_req_userdata(request)); }

const fuse_lowlevel_ops& operations() {
  static const fuse_lowlevel_ops ops = [] {
    fuse_lowlevel_ops o{};
    o.init = [](void* server, fuse_conn_info* c) { static_cast<Server*>(server)->init(c); };
    o.lookup = [](fuse_req_t r, fuse_ino_t parent, const char* name) {
      of(r).lookup(r, parent, name);
    };
    o.getattr = [](fuse_req_t r, fuse_ino_t inode, fuse_file_info*) { of(r).getattr(r, inode); };
    o.readlink = [](fuse_req_t r, fuse_ino_t inode) { of(r).readlink(r, inode); };
    o.open = [](fuse_req_t r, fuse_ino_t, fuse_file_info*) { of(r).refuse(r, ENOSYS); };
    o.opendir = [](fuse_req_t r, fuse_ino_t, fuse_file_info*) { of(r).refuse(r, ENOSYS); };
    o.read = [](fuse_req_t r, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
      of(r).read(r, inode, size, offset);
    };
    o.readdir = [](fuse_req_t r, fuse_ino_t inode, std::size_t size, off_t offset,
                   fuse_file_info*) { of(r).readdir(r, inode, size, offset, false); };
    o.readdirplus = [](fuse_req_t r, fuse_ino_t inode, std::size_t size, off_t offset,
                       fuse_file_info*) { of(r).readdir(r, inode, size, offset, true); };
    return o;
  }();
  return ops;
}

Server::Server() : stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!stop_) throw_errno("cannot serve files over FUSE: eventfd");
  UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!device) throw NotAvailable(std::string("cannot open /dev/fuse: ") + std::strerror(errno));
  std::array<char, 8> name{"missive"};
  std::array<char*, 2> arguments{name.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments.data());
  session_ = fuse_session_new(&args, &operations(), sizeof(fuse_lowlevel_ops), this);
  fuse_opt_free_args(&args);
  if (session_ == nullptr) throw RunError("cannot serve files over FUSE: no session");
  try {
    mount_ = new_mount("fuse",
                       {{"source", "missive-sim"},
                        {"fd", std::to_string(device.get())},
                        {"rootmode", "40000"},
                        {"user_id", std::to_string(::geteuid())},
                        {"group_id", std::to_string(::getegid())},
                        {"default_permissions", ""},
                        {"allow_other", ""}},
                       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    // "/dev/fd/N" makes libfuse take an open device that is mounted already (mount.fuse3(8)).
    const std::string taken = "/dev/fd/" + std::to_string(device.get());
    if (fuse_session_mount(session_, taken.c_str()) != 0) {
      throw RunError("cannot serve files over FUSE: libfuse refuses the device");
    }
    device.release();
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    fuse_session_destroy(session_);
    throw;
  }
}

Server::~Server() {
  const std::uint64_t one = 1;
  while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
  mount_.reset();
  fuse_session_destroy(session_);  // closes the device: whoever still asks gets ENOTCONN
}

void Server::run() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  ::prctl(PR_SET_NAME, "missive-fuse");
  fuse_buf buffer{};
  std::array<pollfd, 2> sources{pollfd{fuse_session_fd(session_), POLLIN, 0},
                                pollfd{stop_.get(), POLLIN, 0}};
  while (fuse_session_exited(session_) == 0) {
    const int n = fuse_session_receive_buf(session_, &buffer);
    if (n > 0) {
      fuse_session_process_buf(session_, &buffer);
    } else if (n == -EAGAIN) {
      ::poll(sources.data(), sources.size(), -1);
      if (sources[1].revents != 0) break;
    } else if (n != -EINTR) {
      break;  // unmounted everywhere
    }
  }
  std::free(buffer.mem);
}

void Server::init(fuse_conn_info* connection) const {
  const auto want = [&](unsigned capability) {
    if ((connection->capable & capability) != 0) connection->want |= capability;
  };
  want(FUSE_CAP_NO_OPEN_SUPPORT);
  want(FUSE_CAP_NO_OPENDIR_SUPPORT);
  want(FUSE_CAP_CACHE_SYMLINKS);
  want(FUSE_CAP_PARALLEL_DIROPS);
  want(FUSE_CAP_READDIRPLUS);
  want(FUSE_CAP_ASYNC_READ);
  // Always READDIRPLUS: the kernel's guess whether attributes will be asked for only costs.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_SPLICE_READ |
                                             FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                                             FUSE_CAP_AUTO_INVAL_DATA);
}

fuse_entry_param Server::parameter(const Tree& tree, std::uint32_t index) const {
  fuse_entry_param entry{};
  entry.ino = index + 1;
  entry.attr = tree.attributes(index);
  entry.attr_timeout = entry.entry_timeout = kForEver;
  return entry;
}

void Server::lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  ++lookups_;
  const Tree* const tree = ready();
  if (tree == nullptr || tree->entry(parent) == nullptr) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  const auto found = tree->child(static_cast<std::uint32_t>(parent - 1), name);
  fuse_entry_param entry{};
  entry.entry_timeout = kForEver;  // inode 0 for ever: the absence is cached as well
  if (found) entry = parameter(*tree, *found);
  fuse_reply_entry(request, &entry);
}

void Server::getattr(fuse_req_t request, fuse_ino_t inode) {
  ++others_;
  const Tree* const tree = ready();
  if (tree == nullptr || tree->entry(inode) == nullptr) {
    // Before the image is there: an empty directory, for a moment.
    struct stat empty {};
    empty.st_mode = S_IFDIR | 0555;
    empty.st_nlink = 2;
    fuse_reply_attr(request, &empty, 0);
    return;
  }
  const struct stat status = tree->attributes(static_cast<std::uint32_t>(inode - 1));
  fuse_reply_attr(request, &status, kForEver);
}

void Server::readlink(fuse_req_t request, fuse_ino_t inode) {
  ++others_;
  const Tree* const tree = ready();
  const zar::Entry* const entry = tree == nullptr ? nullptr : tree->entry(inode);
  if (entry == nullptr || entry->kind != zar::EntryKind::symlink) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  const auto content = tree->image().content(*entry);
  const std::string target(reinterpret_cast<const char*>(content.data()), content.size());
  fuse_reply_readlink(request, target.c_str());
}

void Server::read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset) {
  ++reads_;
  const Tree* const tree = ready();
  const zar::Entry* const entry = tree == nullptr ? nullptr : tree->entry(inode);
  if (entry == nullptr || entry->kind != zar::EntryKind::file || offset < 0) {
    fuse_reply_err(request, EIO);
    return;
  }
  const auto content = tree->image().content(*entry);
  const auto from = std::min(static_cast<std::uint64_t>(offset), entry->size);
  const auto part = content.subspan(from, std::min<std::uint64_t>(size, entry->size - from));
  bytes_read_ += part.size();
  fuse_reply_buf(request, reinterpret_cast<const char*>(part.data()), part.size());
}

void Server::readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                     bool plus) {
  ++others_;
  const Tree* const tree = ready();
  const zar::Entry* const directory = tree == nullptr ? nullptr : tree->entry(inode);
  if (directory == nullptr || directory->kind != zar::EntryKind::directory || offset < 0) {
    fuse_reply_err(request, ENOTDIR);
    return;
  }
  // The kernel's buffer bounds the answer; offset counts entries: ".", "..", children.
  std::vector<char> buffer(std::min<std::size_t>(size, 1 << 20));
  std::size_t used = 0;
  const auto index = static_cast<std::uint32_t>(inode - 1);
  const auto children = tree->children(index);
  for (std::size_t i = static_cast<std::size_t>(offset); i < children.size() + 2; ++i) {
    const std::uint32_t which = i == 0 ? index : i == 1 ? tree->parent(index) : children[i - 2];
    const std::string name = i == 0 ? "." : i == 1 ? ".." : std::string(tree->name(which));
    const fuse_entry_param entry = parameter(*tree, which);
    char* const at = buffer.data() + used;
    const std::size_t left = buffer.size() - used;
    const auto next = static_cast<off_t>(i + 1);
    const std::size_t need =
        plus ? fuse_add_direntry_plus(request, at, left, name.c_str(), &entry, next)
             : fuse_add_direntry(request, at, left, name.c_str(), &entry.attr, next);
    if (need > left) break;
    used += need;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

bool Server::store(std::uint32_t entry, std::uint64_t offset, std::uint64_t bytes) {
  const zar::Image& image = tree_->image();
  const auto content = image.content(image.entries()[entry]).subspan(offset, bytes);
  fuse_bufvec data{};
  data.count = 1;
  data.buf[0].size = content.size();
  data.buf[0].mem = const_cast<std::byte*>(content.data());  // read only
  return fuse_lowlevel_notify_store(session_, entry + 1, static_cast<off_t>(offset), &data,
                                    FUSE_BUF_NO_SPLICE) == 0;
}

class FuseDelivery : public Delivery {
 public:
  UniqueFd deliver(const zar::Image& image, Delivered* delivered) override {
    server_.serve(image);
    const std::vector<CoalescedRun> runs = coalesced_runs(image);
    list_directories(runs);
    Delivered done;
    for (const zar::Entry& entry : image.entries()) {
      done.files += entry.kind == zar::EntryKind::file ? 1 : 0;
    }
    for (const CoalescedRun& run : runs) {
      push(run);
      done.bytes += run.bytes;
    }
    if (delivered != nullptr) *delivered = done;
    return std::move(server_.mount());
  }
  Served served() const override { return server_.served(); }

 private:
  // Opens and lists every directory between "/" and a file with launch runs, parents first.
  void list_directories(const std::vector<CoalescedRun>& runs) {
    const Tree& tree = server_.tree();
    std::vector<bool> wanted(tree.image().entries().size());
    for (const CoalescedRun& run : runs) {
      for (std::uint32_t at = run.entry; at != 0 && !wanted[tree.parent(at)];) {
        at = tree.parent(at);
        wanted[at] = true;
      }
    }
    alignas(dirent64) std::array<char, 32768> buffer;
    for (std::uint32_t i = 0; i < wanted.size(); ++i) {
      if (!wanted[i]) continue;
      const std::string path = "." + std::string(tree.image().entries()[i].path);
      const UniqueFd directory(
          ::openat(server_.mount().get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!directory) throw_errno("cannot open " + path + " in the FUSE mount");
      while (::syscall(SYS_getdents64, directory.get(), buffer.data(), buffer.size()) > 0) {
      }
    }
  }

  void push(const CoalescedRun& run) {
    if (server_.store(run.entry, run.offset, run.bytes)) return;
    throw RunError("cannot put launch runs into the page cache: the kernel does not know " +
                   std::string(server_.tree().image().entries()[run.entry].path));
  }

  Server server_;
};

}  // namespace

std::unique_ptr<Delivery> make_fuse_delivery() { return std::make_unique<FuseDelivery>(); }

std::string fuse_unavailable() {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return std::string("/dev/fuse: ") + std::strerror(errno);
  }
  return picoprocess_unavailable();
}

}  // namespace missive::launch
