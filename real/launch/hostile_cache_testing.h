#pragma once
// For tests: a cache that speaks the protocol and does what no honest one would. Its own process,
// because a launcher under test forks and must not have threads.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "real/cache/little_endian.h"
#include "real/cache/server.h"
#include "real/cache/wire.h"
#include "real/child_process.h"
#include "real/fd.h"

namespace missive::launch {

inline constexpr int kAllSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

struct CacheScript {
  std::vector<std::byte> image;  // handed over whenever one is asked for
  int seals = kAllSeals;
  std::optional<std::size_t> hole =
      {};                 // a page there is no page of the memory that is handed over
  bool assembled = true;  // what lookup says
  std::optional<std::vector<std::byte>> tag;             // the answer to every get_tag
  std::optional<std::vector<std::byte>> block_tags;      // and to every get_block_tags
  std::vector<std::byte> recipe;                         // and to every get_recipe
  std::uint64_t number = 0;                              // in every counter of an answer
  std::optional<std::uint64_t> length = {};              // what get_copy announces; else the truth
  std::function<UniqueFd()> thing = nullptr;             // handed over instead of memory
  std::function<void(int memory)> afterwards = nullptr;  // once memory was handed over
  // What is done instead of answering such a message.
  std::optional<cache::wire::Message> at = {};
  std::function<void(int socket)> instead = nullptr;
};

class HostileCache {
 public:
  HostileCache(const std::filesystem::path& socket, const CacheScript& script)
      : process_({.name = "hostile cache", .keep = {}, .drop_to = {}},
                 [&](const ChildProcess::Ready& ready) {
                   const UniqueFd listener = cache::listen_at(socket);
                   ready("");
                   for (;;) serve(listener.get(), script);
                   return 0;
                 }) {}
  // It has nothing to put in order, and some scripts never come to an end.
  ~HostileCache() { process_.kill_now(); }

 private:
  using Message = cache::wire::Message;

  static void serve(int listener, const CacheScript& script) {
    pollfd next{listener, POLLIN, 0};
    ::poll(&next, 1, -1);
    const UniqueFd peer(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    try {
      for (;;) {
        const auto request = cache::wire::receive_message(
            peer.get(), false, cache::wire::Deadline(std::chrono::seconds(60)), "hostile cache");
        if (script.at == kin_of(request.type))
          script.instead(peer.get());
        else
          answer(peer.get(), request.type, script);
      }
    } catch (const RunError&) {  // the launcher has gone
    }
  }

  // What is done at a message is done at the one that takes its place in a lazy launch.
  static Message kin_of(Message m) {
    return m == Message::get_block_tags   ? Message::get_tag
           : m == Message::put_block_tags ? Message::put_tag
                                          : m;
  }

  static void answer(int socket, Message request, const CacheScript& script) {
    std::vector<std::byte> payload;
    std::vector<std::byte> body;
    UniqueFd given;
    switch (request) {
      case Message::lookup:
        payload = {std::byte{script.assembled}, std::byte{1}};
        cache::append_le(payload, script.number);
        break;
      case Message::fetch:
        for (int i = 0; i < 3; ++i) cache::append_le(payload, script.number);
        break;
      case Message::assemble:
        cache::append_le(payload, script.number);
        break;
      case Message::get_sealed:
        given = script.thing ? script.thing() : memory_of(script);
        break;
      case Message::get_copy:
        cache::append_le(payload, script.length.value_or(script.image.size()));
        break;
      case Message::get_tag:
        payload.push_back(std::byte{script.tag.has_value()});
        if (script.tag) payload.insert(payload.end(), script.tag->begin(), script.tag->end());
        break;
      case Message::get_recipe:
        body = script.recipe;
        cache::append_le(payload, std::uint64_t{body.size()});
        break;
      case Message::get_block_tags:
        body = script.block_tags.value_or(std::vector<std::byte>{});
        payload.push_back(std::byte{script.block_tags.has_value()});
        cache::append_le(payload, std::uint64_t{body.size()});
        break;
      default:
        break;
    }
    const cache::wire::Deadline deadline(std::chrono::seconds(60));
    cache::wire::send_message(socket, cache::wire::reply_to(request), payload,
                              given ? given.get() : -1, deadline, "hostile cache");
    cache::wire::send_bytes(socket, body, deadline, "hostile cache");
    if (request == Message::get_copy)
      cache::wire::send_bytes(socket, script.image, deadline, "hostile cache");
    if (given && script.afterwards) script.afterwards(given.get());
  }

  static UniqueFd memory_of(const CacheScript& script) {
    UniqueFd fd(::memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    // Appended, not truncated to size first: the content is small.
    if (::write(fd.get(), script.image.data(), script.image.size()) < 0)
      throw_errno("hostile cache: memory");
    if (script.hole && ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   static_cast<off_t>(*script.hole), 4096) != 0)
      throw_errno("hostile cache: hole");
    if (::fcntl(fd.get(), F_ADD_SEALS, script.seals) != 0) throw_errno("hostile cache: seals");
    return fd;
  }

  ChildProcess process_;
};

}  // namespace missive::launch
