#pragma once
// The attacks of the matrix. A new one is an entry in one of the functions add_*(), and a line of
// the table in docs/attacks.md.

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "models/error.h"
#include "real/launch/adversary_testing.h"
#include "real/verify/version_store.h"

namespace missive::launch::adversary {

using cache::wire::Message;
using origin::ScriptedServer;

using Change = std::function<void(const World&, Bytes&)>;
inline Attack image_attack(std::string name, Expect expect, std::string word, const Change& change,
                           HandOver hand_over = HandOver::sealed) {
  return {std::move(name), expect, std::move(word), [=](const World& w, Scene& s) {
            change(w, s.caches[0].image);
            s.request.hand_over = hand_over;
          }};
}

inline Attack memory_attack(std::string name, Expect expect, std::string word,
                            const std::function<void(CacheScript&)>& change) {
  return {std::move(name), expect, std::move(word),
          [=](const World&, Scene& s) { change(s.caches[0]); }};
}

inline void set_tags(CacheScript& cache, const World::Tags& tags) {
  cache.tag = tags.whole;
  cache.block_tags = tags.blocks;
}

inline Attack tag_attack(std::string name, const std::function<World::Tags(const World&)>& tag) {
  return {std::move(name), Expect::tag_detour, "tag",
          [=](const World& w, Scene& s) { set_tags(s.caches[0], tag(w)); }};
}

inline Attack recipe_attack(std::string name, std::string word,
                            const std::function<Bytes(const World&)>& recipe) {
  return {std::move(name), Expect::recipe_detour, std::move(word),
          [=](const World& w, Scene& s) { s.caches[0].recipe = recipe(w); }};
}

inline void send_raw(int socket, std::string_view bytes) {
  ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}
inline void hold(int socket) {
  pollfd p{socket, POLLRDHUP, 0};
  ::poll(&p, 1, -1);
}
// Each byte in time, all of them not.
inline void trickle(int socket) {
  for (const char c : std::string_view("MSVC\1\0\1\x80\xa\0\0", 11)) {
    send_raw(socket, {&c, 1});
    ::poll(nullptr, 0, 200);
  }
  hold(socket);
}
inline void send_descriptors(int socket, std::size_t count) {
  const std::vector<int> fds(count, socket);
  std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
  std::string head("MSVC\1\0\4\x80\0\0\0\0", 12);
  iovec piece{head.data(), head.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(count * sizeof(int));
  std::memcpy(CMSG_DATA(c), fds.data(), count * sizeof(int));
  ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

// `timed`: the attack is that nothing comes, so the launch gets little patience.
inline Attack message_attack(std::string name, Message at, std::string word,
                             std::function<void(int)> instead, bool timed = false) {
  const bool tag = at == Message::get_tag || at == Message::put_tag;
  return {std::move(name), tag ? Expect::tag_detour : Expect::detour, std::move(word),
          [=](const World&, Scene& s) {
            CacheScript& cache = s.caches[0];
            cache.at = at;
            cache.instead = instead;
            cache.assembled = at != Message::fetch && at != Message::assemble;
            if (at == Message::get_copy) s.request.hand_over = HandOver::copy;
            if (at == Message::put_tag) {
              cache.tag.reset();
              cache.block_tags.reset();
            }
            if (timed) s.request.deadline = kShort;
          }};
}

inline Attack boot_attack(std::string name, std::string word,
                          const std::function<Bytes(const World&)>& block) {
  return {std::move(name), Expect::refused, std::move(word),
          [=](const World& w, Scene& s) { s.request.boot_block = block(w); }};
}

// The cache is not there, so that the launcher has only this origin.
inline Attack origin_attack(
    std::string name, std::string word,
    const std::function<void(const World&, bool recipe, const ScriptedServer::Connection&)>& answer,
    bool timed = false) {
  return {std::move(name), Expect::refused, std::move(word), [=](const World& w, Scene& s) {
            s.caches.clear();
            if (timed) s.request.deadline = kShort;
            s.origin = [&w, answer](const std::string& head,
                                    const ScriptedServer::Connection& peer) {
              const bool recipe = head.starts_with("GET /v1/recipe");
              answer(w, recipe, peer);
              if (!recipe) peer.hold();
            };
          }};
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string recipe_of(const World& w) {
  return text_of(w.right().report.recipe.serialize());
}
// Answers honestly when asked for the recipe, and with `change`d blocks.
inline auto blocks_with(const std::function<void(std::string&)>& change) {
  return [=](const World& w, bool recipe, const ScriptedServer::Connection& peer) {
    std::string body = recipe ? recipe_of(w) : text_of(w.right().image);
    if (!recipe) change(body);
    peer.send_with_length(body);
  };
}

inline const char* const kNames[] = {"",           "lookup",   "fetch",   "assemble",
                                     "get sealed", "get copy", "get tag", "put tag"};

inline void add_image_attacks(std::vector<Attack>& all) {
  using enum Expect;
  all.push_back({"none: an honest cache", unnoticed, "", [](const World&, Scene&) {}});
  const auto flip = [](const World& w, Bytes& b) { b[w.program()] ^= std::byte{1}; };
  all.push_back(image_attack("bit flipped in the program", detour, "refused", flip));
  all.push_back(image_attack("bit flipped in a copy through the socket", detour, "refused", flip,
                             HandOver::copy));
  all.push_back(image_attack("bit flipped in the last byte", detour, "refused",
                             [](const World&, Bytes& b) { b.back() ^= std::byte{0x80}; }));
  all.push_back(image_attack("two blocks swapped", detour, "refused", [](const World& w, Bytes& b) {
    const auto at = b.begin() + static_cast<long>(w.program() / kBlock * kBlock);
    std::swap_ranges(at, at + kBlock, b.begin());
  }));
  all.push_back(image_attack("block repeated", detour, "refused", [](const World& w, Bytes& b) {
    const auto at = b.begin() + static_cast<long>(w.program() / kBlock * kBlock);
    std::copy_n(b.end() - kBlock, kBlock, at);
  }));
  all.push_back(image_attack("image truncated by a block", detour, "bytes instead of",
                             [](const World&, Bytes& b) { b.resize(b.size() - kBlock); }));
  all.push_back(image_attack("image a block too long", detour, "bytes instead of",
                             [](const World&, Bytes& b) { b.resize(b.size() + kBlock); }));
  all.push_back(image_attack("image empty", detour, "bytes instead of",
                             [](const World&, Bytes& b) { b.clear(); }));
  all.push_back(image_attack("another image of the vendor", detour,
                             "the image came from the origin",
                             [](const World& w, Bytes& b) { b = w.wrong().image; }));
  all.push_back({"another image of the vendor, with a tag of its own", detour, "",
                 [](const World& w, Scene& s) {
                   s.caches[0].image = w.wrong().image;
                   set_tags(s.caches[0], w.tag(w.expected(7, w.wrong()), w.wrong()));
                 }});
  all.push_back({"two caches that disagree", first_only, "refused", [](const World& w, Scene& s) {
                   s.caches.push_back(s.caches[0]);
                   s.caches[0].image[w.program()] ^= std::byte{1};
                 }});
}

inline void add_memory_attacks(std::vector<Attack>& all) {
  using enum Expect;
  const auto with_seals = [&](const char* name, int seals, const char* word) {
    all.push_back(memory_attack(name, detour, word, [=](CacheScript& c) { c.seals = seals; }));
  };
  with_seals("writable mapping kept (no write seal)", F_SEAL_SHRINK | F_SEAL_GROW,
             "against writing");
  with_seals("writable mapping kept (only future writes sealed)",
             F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, "against writing");
  with_seals("file can be truncated", F_SEAL_WRITE | F_SEAL_GROW, "change of its size");
  with_seals("file can grow", F_SEAL_WRITE | F_SEAL_SHRINK, "change of its size");
  all.push_back(memory_attack("descriptor kept: written, punched and truncated after hand-over",
                              unnoticed, "", [](CacheScript& c) {
                                c.afterwards = [](int fd) {
                                  for (int i = 0; i < 50; ++i) {
                                    const bool changed =
                                        ::pwrite(fd, "evil", 4, i * 512L) >= 0 ||
                                        ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                                    0, 1 << 20) == 0 ||
                                        ::ftruncate(fd, 0) == 0;
                                    if (changed) std::abort();  // noticed as a lost connection
                                  }
                                };
                              }));
  all.push_back(
      {"a hole in memory where the program lies", detour, "refused", [](const World& w, Scene& s) {
         const std::size_t at = w.program() / kBlock * kBlock;
         s.caches[0].hole = at;
         std::fill_n(s.caches[0].image.begin() + static_cast<long>(at), kBlock, std::byte{0});
       }});
  const auto thing = [&](const char* name, const char* path, int flags) {
    all.push_back(memory_attack(name, detour, "descriptor", [=](CacheScript& c) {
      c.thing = [=] { return UniqueFd(::open(path, flags | O_CLOEXEC)); };
    }));
  };
  thing("a file on disk instead of memory", "/proc/self/exe", O_RDONLY);
  thing("a device instead of memory", "/dev/zero", O_RDONLY);
  thing("a directory instead of memory", "/", O_RDONLY | O_DIRECTORY);
  thing("a descriptor that opens nothing", "/", O_PATH);
  for (const std::size_t count : {std::size_t{2}, std::size_t{250}})
    all.push_back(message_attack(std::to_string(count) + " descriptors in one answer",
                                 Message::get_sealed, "more descriptors",
                                 [=](int socket) { send_descriptors(socket, count); }));
  all.push_back(
      message_attack("no descriptor", Message::get_sealed, "without descriptor",
                     [](int s) { send_raw(s, std::string_view("MSVC\1\0\4\x80\0\0\0\0", 12)); }));
}

inline void add_message_attacks(std::vector<Attack>& all) {
  for (unsigned m = 1; m <= 7; ++m)
    all.push_back(message_attack(std::string("disconnect at ") + kNames[m], static_cast<Message>(m),
                                 "connection was lost", [](int s) { ::shutdown(s, SHUT_RDWR); }));
  for (const Message m : {Message::lookup, Message::get_sealed, Message::get_tag})
    all.push_back(message_attack(std::string("silence at ") + kNames[static_cast<unsigned>(m)], m,
                                 "within 1000 ms", hold, true));
  all.push_back(message_attack("slow loris: an answer byte by byte", Message::lookup,
                               "within 1000 ms", trickle, true));
  all.push_back(message_attack(
      "slow loris: a copy that stops", Message::get_copy, "within 1000 ms",
      [](int s) {
        send_raw(s, std::string_view("MSVC\1\0\5\x80\x8\0\0\0\0", 13));
        hold(s);
      },
      true));
  all.push_back(message_attack("endless stream", Message::lookup,
                               "not a message of the cache protocol", [](int s) {
                                 const std::string junk(65'536, 'A');
                                 while (::send(s, junk.data(), junk.size(), MSG_NOSIGNAL) > 0) {
                                 }
                               }));
  all.push_back(message_attack("answer of four gigabytes", Message::lookup, "at most", [](int s) {
    send_raw(s, std::string_view("MSVC\1\0\1\x80\xff\xff\xff\xff", 12));
  }));
  all.push_back(
      message_attack("answer to another question", Message::lookup, "malformed",
                     [](int s) { send_raw(s, std::string_view("MSVC\1\0\2\x80\0\0\0\0", 12)); }));
  all.push_back(message_attack(
      "error text with control characters", Message::lookup, "?[31m",
      [](int s) { send_raw(s, std::string_view("MSVC\1\0\xff\xff\6\0\0\0\n\x1b[31m", 18)); }));
  for (const std::uint64_t length : {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{0}})
    all.push_back({"copy announced with " + std::to_string(length) + " bytes", Expect::detour,
                   "bytes instead of", [=](const World&, Scene& s) {
                     s.caches[0].length = length;
                     s.request.hand_over = HandOver::copy;
                   }});
  all.push_back(memory_attack("counters of 2^64 - 1", Expect::unnoticed, "", [](CacheScript& c) {
    c.number = ~std::uint64_t{0};
    c.assembled = false;
  }));
  all.push_back({"no cache", Expect::detour, "cannot connect",
                 [](const World&, Scene& s) { s.caches.clear(); }});
}

inline void add_tag_attacks(std::vector<Attack>& all) {
  all.push_back(tag_attack("tag of noise", [](const World& w) {
    World::Tags tags = w.tag(w.expected(7, w.right()), w.right());
    std::ranges::fill(tags.whole, std::byte{0xa5});
    std::ranges::fill(tags.blocks, std::byte{0xa5});
    return tags;
  }));
  all.push_back(tag_attack("tag of 4096 bytes", [](const World&) {
    return World::Tags{Bytes(4096, std::byte{1}), Bytes(4096, std::byte{1})};
  }));
  all.push_back(tag_attack("tag of no bytes", [](const World&) { return World::Tags(); }));
  all.push_back(tag_attack("tag of another host", [](const World& w) {
    return w.tag(w.expected(7, w.right()), w.right(), 1);
  }));
  all.push_back(tag_attack("tag of another application", [](const World& w) {
    auto e = w.expected(7, w.right());
    e.application = "huge";
    return w.tag(e, w.right());
  }));
  all.push_back(tag_attack("tag of an older version", [](const World& w) {
    return w.tag(w.expected(6, w.right()), w.right());
  }));
  all.push_back(tag_attack("tag of an older version, relabelled", [](const World& w) {
    World::Tags tags = w.tag(w.expected(6, w.right()), w.right());
    tags.whole[48] = tags.blocks[48] = std::byte{7};
    return tags;
  }));
  all.push_back(tag_attack("tag of another image", [](const World& w) {
    return w.tag(w.expected(7, w.wrong()), w.wrong());
  }));
}

inline void add_recipe_attacks(std::vector<Attack>& all) {
  all.push_back(recipe_attack("cache's recipe of another image", "origin",
                              [](const World& w) { return w.wrong().report.recipe.serialize(); }));
  all.push_back(recipe_attack("cache's recipe with a flipped bit", "refused", [](const World& w) {
    Bytes recipe = w.right().report.recipe.serialize();
    recipe.back() ^= std::byte{1};
    return recipe;
  }));
  all.push_back(
      recipe_attack("cache's recipe with two leaves swapped", "refused", [](const World& w) {
        zar::Recipe recipe = w.right().report.recipe;
        std::swap(recipe.leaves.front(), recipe.leaves.back());
        return recipe.serialize();
      }));
  all.push_back(recipe_attack("cache's recipe of no bytes", "bytes instead of",
                              [](const World&) { return Bytes(); }));
  all.push_back({"disconnect at get recipe", Expect::recipe_detour, "connection was lost",
                 [](const World&, Scene& s) {
                   s.caches[0].at = Message::get_recipe;
                   s.caches[0].instead = [](int socket) { ::shutdown(socket, SHUT_RDWR); };
                 }});
}

inline void add_boot_attacks(std::vector<Attack>& all) {
  all.push_back(boot_attack("boot block of another vendor", "signature", [](const World& w) {
    return w.boot_block(7, w.wrong(), origin::make_signing_key());
  }));
  all.push_back(boot_attack("boot block relabelled", "signature", [](const World& w) {
    Bytes block = w.boot_block(6);
    block[64 + 16] = std::byte{7};
    return block;
  }));
  all.push_back(boot_attack("boot block truncated", "truncated", [](const World& w) {
    Bytes block = w.boot_block(7);
    block.resize(100);
    return block;
  }));
  all.push_back(boot_attack("boot block empty", "truncated", [](const World&) { return Bytes(); }));
  all.push_back(boot_attack("boot block of a megabyte", "not a boot block",
                            [](const World&) { return Bytes(1 << 20); }));
  const auto remembered = [](std::uint64_t version, const World::Built& (World::*built)() const) {
    return [=](const World& w, Scene& s) {
      s.request.version_store = w.file("versions");
      fs::remove(s.request.version_store);
      verify::VersionStore(s.request.version_store)
          .remember(w.vendor(), w.expected(version, (w.*built)()));
    };
  };
  all.push_back({"older version with its own valid image and tag", Expect::refused,
                 "older than version 8", remembered(8, &World::right)});
  all.push_back({"the known version with another image", Expect::refused, "under that number",
                 remembered(7, &World::wrong)});
  all.push_back(
      {"version store damaged", Expect::refused, "version store", [=](const World& w, Scene& s) {
         remembered(7, &World::right)(w, s);
         fs::resize_file(s.request.version_store, 50);
       }});
  all.push_back(
      {"none: the version that is known", Expect::unnoticed, "", remembered(7, &World::right)});
}

inline void add_origin_attacks(std::vector<Attack>& all) {
  using Peer = ScriptedServer::Connection;
  all.push_back(origin_attack("recipe of another image", "not the signed image's",
                              [](const World& w, bool, const Peer& p) {
                                p.send_with_length(text_of(w.wrong().report.recipe.serialize()));
                              }));
  all.push_back(origin_attack("recipe of a terabyte", "bytes of hashes",
                              [](const World& w, bool, const Peer& p) {
                                zar::Recipe lie = w.right().report.recipe;
                                lie.shape.length = std::uint64_t{1} << 40;
                                p.send_with_length(text_of(lie.serialize()));
                              }));
  all.push_back(
      origin_attack("recipe announced with 2^63 bytes", "not of the expected length",
                    [](const World&, bool, const Peer& p) {
                      p.send("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n");
                    }));
  all.push_back(origin_attack("head that never ends", "head of the answer is longer",
                              [](const World&, bool, const Peer& p) {
                                p.send("HTTP/1.1 200 OK\r\n");
                                for (int i = 0; i < 1000; ++i)
                                  p.send("X: " + std::string(60, 'x') + "\r\n");
                              }));
  all.push_back(origin_attack("body without a length", "no plain Content-Length",
                              [](const World&, bool, const Peer& p) {
                                p.send("HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x'));
                              }));
  all.push_back(origin_attack(
      "origin says nothing", "within 1000 ms", [](const World&, bool, const Peer& p) { p.hold(); },
      true));
  all.push_back(origin_attack(
      "origin drips", "within 1000 ms",
      [](const World&, bool, const Peer& p) {
        while (p.send("H")) p.pause(100);
      },
      true));
  all.push_back(origin_attack(
      "origin's block has a flipped bit", "the origin lies",
      blocks_with([](std::string& body) { body[10] = static_cast<char>(body[10] ^ 1); })));
  all.push_back(origin_attack(
      "origin swaps two blocks", "the origin lies", blocks_with([](std::string& body) {
        std::swap_ranges(body.begin(), body.begin() + kBlock, body.end() - kBlock);
      })));
  all.push_back(
      origin_attack("origin leaves a block out", "not of the expected length",
                    blocks_with([](std::string& body) { body.resize(body.size() - kBlock); })));
}

inline const std::vector<Attack>& attacks() {
  static const std::vector<Attack> all = [] {
    std::vector<Attack> list;
    add_image_attacks(list);
    add_memory_attacks(list);
    add_message_attacks(list);
    add_tag_attacks(list);
    add_recipe_attacks(list);
    add_boot_attacks(list);
    add_origin_attacks(list);
    return list;
  }();
  return all;
}

}  // namespace missive::launch::adversary
