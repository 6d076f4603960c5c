#pragma once
// A FUSE file system of this process: a detached read-only mount and the threads that answer for
// it. libfuse's low-level interface on an open /dev/fuse that is mounted with fsopen(2), so no
// mount helper runs and the host's mount table never sees it.

#include <thread>
#include <vector>

#include <fuse_lowlevel.h>

#include "real/fd.h"

namespace missive::launch {

class FuseSession {
 public:
  enum class Threads {
    one,      // handlers need not be thread-safe
    per_cpu,  // on each CPU its own thread (at most eight): see run()
  };
  // Mounts and starts the threads; handlers in `operations` are called on them with `user` as
  // fuse_req_userdata(). What `user` points to must be ready, and outlive the session. Throws
  // NotAvailable (no /dev/fuse, no right to mount) or RunError.
  FuseSession(const fuse_lowlevel_ops& operations, void* user, Threads threads);
  // Ends the threads, closes the device: whoever still uses the mount gets ENOTCONN.
  ~FuseSession();
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

  fuse_session* get() const { return session_; }
  UniqueFd& mount() { return mount_; }

 private:
  void start(Threads threads);
  void stop() noexcept;
  void run(int cpu);

  UniqueFd stop_, mount_;
  fuse_session* session_ = nullptr;
  std::vector<std::thread> threads_;
};

}  // namespace missive::launch
