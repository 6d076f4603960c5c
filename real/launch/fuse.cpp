// Delivery "fuse": the files are served read-only, straight from the verified mapping, by threads
// of the launcher (libfuse's low-level interface); nothing is copied but what is asked for.
//
// A FUSE request costs a round trip between two threads, so the point is to have almost none while
// the application starts:
//   - names, attributes, absent names and link targets are cached by the kernel for ever (the image
//     never changes), and so is content;
//   - open, opendir, flush and getxattr are answered once with ENOSYS: the kernel then does without
//     (FUSE_CAP_NO_OPEN_SUPPORT and friends, fuse_common.h);
//   - before the start the directories on the way to the launch runs are listed through the mount
//     (READDIRPLUS puts their entries into the dentry cache, many per request), links are read
//     once, and the runs themselves are pushed into the page cache (FUSE_NOTIFY_STORE: one write(2)
//     per run, no round trip at all; the kernel takes it for regular files only). Lazily the same
//     happens behind the start, each run verified before it is pushed.

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>
#include <optional>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/ahead.h"
#include "real/launch/delivery.h"
#include "real/launch/fuse_session.h"
#include "real/launch/image_tree.h"
#include "real/launch/picoprocess.h"

namespace missive::launch {

namespace {

// Seconds; the kernel cuts it off at what it can hold (time_to_jiffies in fs/fuse/dir.c).
constexpr double kForEver = 1e15;
class Server {
 public:
  Server();

  // `blocks` null: all of the image is verified already.
  void serve(const zar::Image& image, verify::BlockVerifier* blocks) {
    tree_.emplace(image);
    blocks_ = blocks;
    published_.store(&*tree_, std::memory_order_release);
  }
  const ImageTree& tree() const { return *tree_; }
  // Puts content into the page cache, verified. The kernel must know the inode: false when it does
  // not. Throws RunError when a block is refused.
  bool store(std::uint32_t entry, std::uint64_t offset, std::uint64_t bytes);
  UniqueFd& mount() { return session_->mount(); }
  Served served() const {
    return {lookups_.load(), reads_.load(), bytes_read_.load(), others_.load()};
  }

  // Request handlers, on the session's threads at once.
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
  const ImageTree* ready() const { return published_.load(std::memory_order_acquire); }
  fuse_entry_param parameter(const ImageTree& tree, std::uint32_t index) const;
  std::span<const std::byte> verified(const ImageTree& tree, const zar::Entry& file,
                                      std::uint64_t offset, std::uint64_t size,
                                      std::vector<std::byte>& scratch) const;

  std::optional<ImageTree> tree_;
  verify::BlockVerifier* blocks_ = nullptr;
  std::atomic<const ImageTree*> published_{nullptr};
  std::atomic<std::uint64_t> lookups_{0}, reads_{0}, bytes_read_{0}, others_{0};
  std::optional<FuseSession> session_;  // last: its threads use all above
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

Server::Server() { session_.emplace(operations(), this, FuseSession::Threads::per_cpu); }

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

fuse_entry_param Server::parameter(const ImageTree& tree, std::uint32_t index) const {
  fuse_entry_param entry{};
  entry.ino = index + 1;
  entry.attr = tree.attributes(index);
  entry.attr_timeout = entry.entry_timeout = kForEver;
  return entry;
}

void Server::lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  ++lookups_;
  const ImageTree* const tree = ready();
  if (tree == nullptr || tree->entry(parent) == nullptr) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  if (std::strlen(name) > NAME_MAX) {  // as every other file system says; the kernel allows more
    fuse_reply_err(request, ENAMETOOLONG);
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
  const ImageTree* const tree = ready();
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
  const ImageTree* const tree = ready();
  const zar::Entry* const entry = tree == nullptr ? nullptr : tree->entry(inode);
  if (entry == nullptr || entry->kind != zar::EntryKind::symlink) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  const auto content = tree->image().content(*entry);
  const std::string target(reinterpret_cast<const char*>(content.data()), content.size());
  fuse_reply_readlink(request, target.c_str());
}

// The only way to a file's content. Names, attributes and link targets lie in front of it, in what
// was verified before the image was opened.
std::span<const std::byte> Server::verified(const ImageTree& tree, const zar::Entry& file,
                                            std::uint64_t offset, std::uint64_t size,
                                            std::vector<std::byte>& scratch) const {
  if (blocks_ != nullptr) {
    const std::uint64_t end = offset < file.size ? offset + std::min(size, file.size - offset) : 0;
    for (const zar::Extent& part : tree.image().extents(file)) {
      const std::uint64_t from = std::max(offset, part.file_offset);
      const std::uint64_t to = std::min(end, part.file_end());
      if (from < to) blocks_->require(part.offset + (from - part.file_offset), to - from);
    }
  }
  return tree.image().view(file, offset, size, scratch);
}

void Server::read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset) {
  ++reads_;
  const ImageTree* const tree = ready();
  const zar::Entry* const entry = tree == nullptr ? nullptr : tree->entry(inode);
  if (entry == nullptr || entry->kind != zar::EntryKind::file || offset < 0) {
    fuse_reply_err(request, EIO);
    return;
  }
  try {
    std::vector<std::byte> scratch;  // of sparse files alone
    const auto part = verified(*tree, *entry, static_cast<std::uint64_t>(offset), size, scratch);
    bytes_read_ += part.size();
    fuse_reply_buf(request, reinterpret_cast<const char*>(part.data()), part.size());
  } catch (const std::exception&) {  // a block refused, bytes that a partial file lacks, no memory
    fuse_reply_err(request, EIO);
  }
}

void Server::readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                     bool plus) {
  ++others_;
  const ImageTree* const tree = ready();
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
  std::vector<std::byte> scratch;
  const auto content = verified(*tree_, tree_->image().entries()[entry], offset, bytes, scratch);
  fuse_bufvec data{};
  data.count = 1;
  data.buf[0].size = content.size();
  data.buf[0].mem = const_cast<std::byte*>(content.data());  // read only
  return fuse_lowlevel_notify_store(session_->get(), entry + 1, static_cast<off_t>(offset), &data,
                                    FUSE_BUF_NO_SPLICE) == 0;
}

class FuseDelivery : public Delivery {
 public:
  UniqueFd deliver(const zar::Image& image, Delivered* delivered) override {
    server_.serve(image, nullptr);
    const Ahead ahead = plan_ahead(server_.tree());
    put_all_ahead(ahead);
    if (delivered == nullptr) return std::move(server_.mount());
    *delivered = {files_of(image), 0};
    for (const CoalescedRun& run : ahead.runs) delivered->bytes += run.bytes;
    return std::move(server_.mount());
  }

  UniqueFd deliver_lazily(const zar::Image& image, verify::BlockVerifier& blocks,
                          Delivered* delivered) override {
    server_.serve(image, &blocks);
    if (delivered != nullptr) *delivered = {files_of(image), 0};
    // The mount itself goes to the picoprocess; put_ahead() walks it by a descriptor of its own.
    walk_.reset(::fcntl(server_.mount().get(), F_DUPFD_CLOEXEC, 0));
    if (!walk_) throw_errno("cannot keep the FUSE mount at hand");
    return std::move(server_.mount());
  }

  std::uint64_t put_ahead(const std::stop_token& stop) override {
    const ImageTree& tree = server_.tree();
    WayAhead way(*this, plan_ways(tree));
    std::uint64_t bytes = 0;
    for (const CoalescedRun& run : runs_by_touch(tree.image())) {
      if (stop.stop_requested()) break;
      way.lead_to(run.entry);
      if (!server_.store(run.entry, run.offset, run.bytes)) refuse_store();
      bytes += run.bytes;
    }
    return bytes;
  }

  Served served() const override { return server_.served(); }

 private:
  static std::uint64_t files_of(const zar::Image& image) {
    std::uint64_t files = 0;
    for (const zar::Entry& entry : image.entries())
      files += entry.kind == zar::EntryKind::file ? 1 : 0;
    return files;
  }

  // Everything by which a start finds a file, put ahead just before the file itself.
  class WayAhead {
   public:
    WayAhead(FuseDelivery& delivery, const Ways& ways)
        : delivery_(delivery), known_(delivery.server_.tree().image().entries().size(), false) {
      for (const LinkAhead& each : ways.links) links_to_.emplace(each.end, each.link);
    }
    // The directories above `entry`, and all links that lead to it or to one of these.
    void lead_to(std::uint32_t entry) {
      if (known_[entry]) return;
      known_[entry] = true;
      const ImageTree& tree = delivery_.server_.tree();
      if (entry != 0) lead_to(tree.parent(entry));
      if (tree.image().entries()[entry].kind == zar::EntryKind::directory)
        delivery_.list(delivery_.walk_, entry);
      const auto [first, last] = links_to_.equal_range(entry);
      for (auto each = first; each != last; ++each) {
        lead_to(tree.parent(each->second));
        delivery_.read_link(delivery_.walk_, each->second);
      }
    }

   private:
    FuseDelivery& delivery_;
    std::vector<bool> known_;
    std::multimap<std::uint32_t, std::uint32_t> links_to_;  // end, link
  };

  [[noreturn]] static void refuse_store() {
    throw RunError("the kernel refuses launch runs for its page cache (FUSE_NOTIFY_STORE)");
  }

  // Lists directories and reads links on this thread; a second one follows with the content of
  // files whose directory is known already; then both push what is left.
  void put_all_ahead(const Ahead& ahead) {
    std::atomic<std::uint32_t> listed{0};
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    const auto push = [&] {
      for (std::size_t i = next++; i < ahead.runs.size(); i = next++) {
        for (std::uint32_t known = listed; known < ahead.listed_before[i]; known = listed) {
          listed.wait(known);
        }
        const CoalescedRun& run = ahead.runs[i];
        if (!server_.store(run.entry, run.offset, run.bytes)) failed = true;
      }
    };
    // Whatever happens below, the second thread must not wait for ever for a directory.
    struct Finish {
      std::atomic<std::uint32_t>& listed;
      std::thread thread;
      ~Finish() {
        listed = UINT32_MAX;
        listed.notify_all();
        if (thread.joinable()) thread.join();
      }
    };
    {
      Finish second{listed, {}};
      if (std::thread::hardware_concurrency() > 1) second.thread = std::thread(push);
      for (const std::uint32_t directory : ahead.ways.directories) {
        list(server_.mount(), directory);
        ++listed;
        listed.notify_one();
      }
      for (const LinkAhead& each : ahead.ways.links) read_link(server_.mount(), each.link);
      push();
    }
    if (failed) refuse_store();
  }

  std::string path(std::uint32_t index) const {
    return "." + std::string(server_.tree().image().entries()[index].path);
  }

  void list(const UniqueFd& mount, std::uint32_t index) {
    const UniqueFd directory(
        ::openat(mount.get(), path(index).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) throw_errno("cannot open " + path(index) + " in the FUSE mount");
    alignas(dirent64) std::array<char, 32768> buffer;
    // Counting what came saves the request that would only say "no more".
    const std::size_t all = server_.tree().children(index).size() + 2;
    for (std::size_t seen = 0; seen < all;) {
      const long n = ::syscall(SYS_getdents64, directory.get(), buffer.data(), buffer.size());
      if (n <= 0) throw_errno("cannot list " + path(index) + " in the FUSE mount");
      for (long at = 0; at < n; ++seen) {
        at += reinterpret_cast<const dirent64*>(buffer.data() + at)->d_reclen;
      }
    }
  }

  void read_link(const UniqueFd& mount, std::uint32_t index) {
    char byte = 0;
    if (::readlinkat(mount.get(), path(index).c_str(), &byte, 1) < 0) {
      throw_errno("cannot read the link " + path(index) + " in the FUSE mount");
    }
  }

  Server server_;
  UniqueFd walk_;  // lazily: into the mount
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
