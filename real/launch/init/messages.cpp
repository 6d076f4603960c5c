#include "real/launch/init/messages.h"

#include <array>
#include <cerrno>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "real/launch/init/system.h"

namespace missive::launch::init {

namespace {

// Pages of it that are not touched cost nothing.
alignas(16) std::array<char, kMaxMessage> prepare_text;
alignas(16) std::array<char, kMaxMessage> start_text;
std::array<char*, kMaxStrings + 3> string_pointers;

// Cuts `count` strings off `text`, appends a null pointer. Null when the text is too short.
char** take_strings(std::span<char>& text, std::uint32_t count, std::span<char*>& pointers) {
  char** const first = pointers.data();
  if (count + 1 > pointers.size()) return nullptr;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::size_t length = 0;
    while (length < text.size() && text[length] != 0) ++length;
    if (length == text.size()) return nullptr;
    pointers[i] = text.data();
    text = text.subspan(length + 1);
  }
  pointers[count] = nullptr;
  pointers = pointers.subspan(count + 1);
  return first;
}

// A string that ends within `text`, or null.
const char* terminated(std::span<const char> text) {
  for (const char& c : text) {
    if (c == 0) return text.data();
  }
  return nullptr;
}

// One message of the launcher with exactly `descriptors(head)` descriptors.
template <class Head>
struct Message {
  Head head;
  std::span<char> rest;
  std::array<int, kMaxDescriptors> fds{};
};

std::size_t descriptors(const PrepareMessage& head) {
  return (head.root != 0 ? 1 : 0) + (head.display != 0 ? 1 : 0);
}
std::size_t descriptors(const StartMessage& head) {
  return 2U + (head.late_root != 0 ? 1 : 0) + (head.display != 0 ? 1 : 0) +
         (head.mapped != 0 ? 3 : 0) + (head.watched != 0 ? 1 : 0);
}

std::size_t descriptors(const KeepMessage&) { return 1; }

// Waits for it. False when it is malformed, or the launcher is gone (`end`).
template <class Head>
bool receive(std::span<char> text, Message<Head>& received, bool& end) {
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  long n = -1;
  do {
    n = call(SYS_recvmsg, kControl, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && last_error() == EINTR);
  end = n == 0;
  if (n <= 0) return false;
  last_error() = EBADMSG;
  const auto size = static_cast<std::size_t>(n);
  if (size < sizeof(Head) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return false;
  memcpy(&received.head, text.data(), sizeof(Head));
  received.rest = text.subspan(sizeof(Head), size - sizeof(Head));
  const std::size_t expected = descriptors(received.head);
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  if (expected == 0) return rights == nullptr;
  if (rights == nullptr || rights->cmsg_len != CMSG_LEN(expected * sizeof(int))) return false;
  memcpy(received.fds.data(), CMSG_DATA(rights), expected * sizeof(int));
  return true;
}

// The same, but ends init when the launcher is gone.
template <class Head>
bool receive(std::span<char> text, Message<Head>& received) {
  bool end = false;
  const bool right = receive(text, received, end);
  if (end) leave(0);
  return right;
}

}  // namespace

bool receive_prepare(Prepare& prepare) {
  Message<PrepareMessage> message;
  if (!receive(prepare_text, message)) return false;
  prepare.confinement = message.head.confinement;
  if (message.head.root != 0) prepare.root = message.fds[0];
  if (message.head.display != 0) prepare.display = message.fds[1];
  const std::size_t bytes = std::size_t{message.head.filter} * sizeof(sock_filter);
  if (bytes > message.rest.size()) return false;
  // Aligned as the buffer is: the head's size is a multiple of the filter's alignment.
  static_assert(sizeof(PrepareMessage) % alignof(sock_filter) == 0);
  prepare.filter = {reinterpret_cast<const sock_filter*>(message.rest.data()), message.head.filter};
  prepare.display_name = terminated(message.rest.subspan(bytes));
  return message.head.display == 0 || prepare.display_name != nullptr;
}

bool receive_start(Start& start) {
  Message<StartMessage> message;
  if (!receive(start_text, message)) return false;
  const StartMessage& head = message.head;
  const int* next = message.fds.data();
  start.output = *next++;
  start.log = *next++;
  if (head.late_root != 0) start.root = *next++;
  if (head.display != 0) start.display = *next++;
  if (head.mapped != 0) {
    start.loader = *next++;
    start.loader_socket = *next++;
    start.image = *next++;
  }
  if (head.watched != 0) start.faults = *next++;
  std::span<char> text = message.rest;
  std::span<char*> pointers = string_pointers;
  start.programs = take_strings(text, head.programs, pointers);
  if (start.programs == nullptr) return false;
  start.arguments = take_strings(text, head.arguments, pointers);
  if (start.arguments == nullptr) return false;
  start.variables = take_strings(text, head.variables, pointers);
  if (start.variables == nullptr) return false;
  start.display_name = terminated(text);
  return head.display == 0 || start.display_name != nullptr;
}

bool keep_descriptor() {
  alignas(16) std::array<char, sizeof(KeepMessage) + 1> text;
  Message<KeepMessage> message;
  bool end = false;
  return receive(text, message, end);
}

void send_report(Step step, int error) {
  timespec now{};
  call(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  const Report report{step, error, std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
  const iovec part{const_cast<Report*>(&report), sizeof report};
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(&part);
  message.msg_iovlen = 1;
  call(SYS_sendmsg, kControl, &message, MSG_NOSIGNAL);
}

}  // namespace missive::launch::init
