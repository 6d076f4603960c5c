#include "real/idle_states.h"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace missive {

AwakeProcessors keep_processors_awake() {
  constexpr const char* kDevice = "/dev/cpu_dma_latency";
  AwakeProcessors awake{UniqueFd(::open(kDevice, O_WRONLY | O_CLOEXEC)), ""};
  const std::int32_t microseconds = 0;
  if (!awake.request ||
      ::write(awake.request.get(), &microseconds, sizeof microseconds) != sizeof microseconds) {
    awake.unavailable = std::string(kDevice) + ": " + std::strerror(errno);
    awake.request.reset();
  }
  return awake;
}

}  // namespace missive
