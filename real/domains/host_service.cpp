#include "real/domains/host_service.h"

#include <cstring>
#include <span>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "real/domains/domain.h"
#include "real/domains/marshal/records.h"
#include "real/domains/service/service.h"
#include "real/fd.h"

namespace missive::domains {

namespace {

// One byte and one descriptor in a message.
struct Parcel {
  char byte = 'd';
  iovec text{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  Parcel() {
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
  }
};

bool cannot_change(int file, std::uint64_t size) {
  constexpr int kNeeded = F_SEAL_WRITE | F_SEAL_SHRINK;
  const int seals = ::fcntl(file, F_GET_SEALS);
  struct stat status {};
  return seals >= 0 && (seals & kNeeded) == kNeeded && ::fstat(file, &status) == 0 &&
         static_cast<std::uint64_t>(status.st_size) == size;
}

std::int64_t sealed_sum(const SealedMessage& m, std::uint8_t* reply, std::size_t capacity) {
  UniqueFd received;
  int file = m.descriptor;
  if (file < 0) {
    received.reset(receive_descriptor(m.socket));
    file = received.get();
  }
  if (m.size == 0 || !cannot_change(file, m.size)) return -1;
  void* at = ::mmap(nullptr, m.size, PROT_READ, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) return -1;
  const std::int64_t answer =
      missive_service(static_cast<std::int32_t>(Entry::sum), static_cast<const std::uint8_t*>(at),
                      m.size, reply, capacity);
  ::munmap(at, m.size);
  return answer;
}

}  // namespace

std::int64_t host_service(std::int32_t entry, const std::uint8_t* request, std::size_t size,
                          std::uint8_t* reply, std::size_t capacity) {
  if (entry == static_cast<std::int32_t>(Entry::sealed_sum)) {
    SealedMessage m;
    if (size != sizeof m) return -1;
    std::memcpy(&m, request, sizeof m);
    return sealed_sum(m, reply, capacity);
  }
  if (entry != static_cast<std::int32_t>(Entry::marshalled_sum) || capacity < 8) return -1;
  const std::int64_t sum = parse_and_sum(std::as_bytes(std::span(request, size)));
  if (sum < 0) return -1;
  std::memcpy(reply, &sum, sizeof sum);
  return sizeof sum;
}

int receive_descriptor(int socket) {
  Parcel parcel;
  if (::recvmsg(socket, &parcel.message, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
    return -1;
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}

void send_descriptor(int socket, int descriptor) {
  Parcel parcel;
  cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  if (::sendmsg(socket, &parcel.message, MSG_NOSIGNAL) != 1)
    throw_errno("passing a descriptor through a socket");
}

}  // namespace missive::domains
