#pragma once
// A FUSE file system of this process: a detached read-only mount and the thread that answers for
// it. libfuse's low-level interface on an open /dev/fuse that is mounted with fsopen(2), so no
// mount helper runs and the host's mount table never sees it.

#include <thread>

#include <fuse_lowlevel.h>

#include "real/fd.h"

namespace missive::launch {

class FuseSession {
 public:
  // Mounts and starts the thread; handlers in `operations` are called on it with `user` as
  // fuse_req_userdata(). What `user` points to must be ready, and outlive the session. Throws
  // NotAvailable (no /dev/fuse, no right to mount) or RunError.
  FuseSession(const fuse_lowlevel_ops& operations, void* user);
  // Ends the thread, closes the device: whoever still uses the mount gets ENOTCONN.
  ~FuseSession();
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

  fuse_session* get() const { return session_; }
  UniqueFd& mount() { return mount_; }
  std::thread::native_handle_type thread() { return thread_.native_handle(); }

 private:
  void run();

  UniqueFd stop_, mount_;
  fuse_session* session_ = nullptr;
  std::thread thread_;
};

}  // namespace missive::launch
