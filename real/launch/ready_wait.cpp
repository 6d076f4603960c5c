#include "real/launch/ready_wait.h"

#include <fcntl.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::launch {

ReadyWait::ReadyWait(const Application& application, const Display* display) {
  if (application.ready == ReadyMark::first_window) {
    if (!display)
      throw RunError(application.name + ": its ready mark is a window, but there is no display");
    window_.emplace(*display);
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe for the application's output");
  read_.reset(ends[0]);
  write_.reset(ends[1]);
  log_.reset(::open("/dev/null", O_WRONLY | O_CLOEXEC));
}

}  // namespace missive::launch
