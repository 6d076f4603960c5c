// The launcher's client against a cache that answers anything. Input: 1 byte which call comes
// first, 1 byte how many descriptors come along, then all that the cache ever sends.

#include "real/cache/client.h"

#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>

#include "real/cache/tag_store.h"
#include "real/cache/wire.h"
#include "real/fuzz/fuzz_target.h"

namespace missive::fuzz {

namespace {

using cache::wire::Message;

void send_with_descriptors(int socket, std::span<const std::byte> bytes, std::size_t count) {
  static const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  Bytes copy(bytes.begin(), bytes.end());
  iovec piece{copy.data(), copy.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(CMSG_DATA(c) + i * sizeof(int), &null, sizeof null);
  }
  ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

constexpr unsigned kCalls = 11;

void call(cache::Client& client, unsigned which) {
  static const zar::Digest image{};
  std::array<std::byte, 64> into{};
  switch (which % kCalls) {
    case 0:
      client.lookup(image);
      break;
    case 1:
      client.fetch(image);
      break;
    case 2:
      client.assemble(image);
      break;
    case 3:
      require(static_cast<bool>(client.get_sealed(image)), "a descriptor came");
      break;
    case 4:
      client.get_copy(image, into);
      break;
    case 5:
      if (const auto tag = client.get_tag(image))
        require(tag->size() <= cache::kMaxTagBytes, "tags are bounded");
      break;
    case 6:
      client.put_tag(image, into);
      break;
    case 7:
      client.forget_assembled();
      break;
    case 8:
      require(client.get_recipe(image, 96).size() == 96, "as long as the shape says");
      break;
    case 9:
      if (const auto tags = client.get_block_tags(image, 96))
        require(tags->size() == 96, "as long as the shape says");
      break;
    default:
      client.put_block_tags(image, into);
  }
}

void run(std::span<const std::byte> input) {
  if (input.size() < 3 || input.size() > 65'536) return;
  int ends[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
  cache::Client client = cache::Client::over(UniqueFd(ends[0]), std::chrono::milliseconds(10'000));
  const UniqueFd peer(ends[1]);
  send_with_descriptors(peer.get(), input.subspan(2), std::to_integer<unsigned>(input[1]) % 7);
  ::shutdown(peer.get(), SHUT_WR);
  accepts([&] {
    for (unsigned i = 0; i < kCalls; ++i) call(client, std::to_integer<unsigned>(input[0]) + i);
  });
}

std::vector<Bytes> seeds() {
  const std::size_t lengths[kCalls] = {10, 24, 8, 0, 8, 89, 0, 0, 8, 9, 0};
  std::vector<Bytes> all;
  Bytes session{std::byte{0}, std::byte{0}};
  for (unsigned i = 0; i < kCalls; ++i) {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
    const UniqueFd from(ends[0]), to(ends[1]);
    Bytes payload(lengths[i], std::byte{1});
    std::size_t body = 0;  // behind the message
    if (i == 4 || i == 8 || i == 9) {
      body = i == 4 ? 64 : 96;
      std::ranges::fill(payload, std::byte{0});
      payload[i == 9 ? 1 : 0] = static_cast<std::byte>(body);
      if (i == 9) payload[0] = std::byte{1};
    }
    cache::wire::send_message(from.get(), cache::wire::reply_to(static_cast<Message>(i + 1)),
                              payload, -1, cache::wire::Deadline(std::chrono::milliseconds(1'000)),
                              "seed");
    Bytes wire(cache::wire::kHeadBytes + payload.size());
    require(::recv(to.get(), wire.data(), wire.size(), MSG_WAITALL) ==
                static_cast<ssize_t>(wire.size()),
            "a seed");
    wire.resize(wire.size() + body);
    Bytes single{static_cast<std::byte>(i), static_cast<std::byte>(i == 3)};
    single.insert(single.end(), wire.begin(), wire.end());
    all.push_back(single);
    if (i != 3) session.insert(session.end(), wire.begin(), wire.end());
  }
  all.push_back(session);
  all.push_back(bytes_of(std::string("\0\0MSVC\1\0\xff\xff\4\0\0\0nope", 18)));  // an error
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 20'000};

}  // namespace missive::fuzz
