// The attack matrix: every attack x every registered verifier x every registered delivery. Each
// cell launches the right bytes or refuses with a clear reason; never other bytes, a hang or a
// crash. docs/attacks.md has the table of attacks, and is held against the one below.
//
// How a cell knows which bytes ran: images that are not the right one hold a program that does not
// say "ready", or none. Each launch is a process of its own, so that a crash and a hang are seen.

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "real/launch/hostile_cache_testing.h"
#include "real/launch/launcher.h"
#include "real/launch/outcome_json.h"
#include "real/launch/picoprocess.h"
#include "real/measure/scratch.h"
#include "real/measure/tiny_program.h"
#include "real/origin/boot_block.h"
#include "real/origin/scripted_server.h"
#include "real/origin/server.h"
#include "real/process.h"
#include "real/verify/verifier.h"
#include "real/verify/version_store.h"
#include "real/zar/builder.h"
#include "real/zar/image.h"

namespace missive::launch {
namespace {

namespace fs = std::filesystem;
using cache::wire::Message;
using origin::ScriptedServer;
using std::chrono::milliseconds;
using testing::HasSubstr;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kBlock = 4096;
constexpr milliseconds kPatience{5'000};  // where no attack is about time
constexpr milliseconds kShort{1'000};     // where one is: what a launch may lose to it
constexpr milliseconds kHang{60'000};     // what takes longer hangs

// What all attacks share: a vendor with an application, and an origin that serves it.
class World {
 public:
  World() : scratch_(measure::scratch_parent()) {
    right_ = build("ready\n");
    wrong_ = build("");
    const auto image = zar::Image::open(right_.image, "image");
    program_ = image.entries()[image.find("/bin/ready").value()].offset;
    origin_ = std::make_unique<origin::OriginProcess>(std::vector<origin::Publication>{
        {"tiny", right_.file, right_.report.recipe, boot_block(7)}});
  }

  struct Built {
    fs::path file;
    zar::BuildReport report;
    Bytes image;
  };
  const Built& right() const { return right_; }
  const Built& wrong() const { return wrong_; }     // another image of the same vendor
  std::size_t program() const { return program_; }  // where the program lies in the right one
  const std::string& origin_url() const { return origin_->url(); }
  fs::path file(const std::string& name) const { return scratch_.path() / name; }
  const origin::SigningKey& key() const { return key_; }
  verify::PublicKey vendor() const { return origin::public_key(key_); }
  Bytes boot_block(std::uint64_t version) const { return boot_block(version, right_, key_); }
  Bytes boot_block(std::uint64_t version, const Built& built, const origin::SigningKey& key) const {
    return origin::sign({"tiny", version, built.report.name, built.report.recipe.shape}, key);
  }
  verify::ApplicationSecret secret(unsigned host = 0) const {
    return verify::application_secret(verify::MasterKey{{static_cast<std::byte>(host)}}, vendor());
  }
  verify::Expected expected(std::uint64_t version, const Built& built) const {
    return {built.report.name, built.report.recipe.shape, "tiny", version};
  }
  // A right tag of `host` for what it is made of.
  Bytes tag(const verify::Expected& e, const Built& built, unsigned host = 0) const {
    return verify::make_tag(built.image, e, verify::mac_key(secret(host), e.name, e.version)).bytes;
  }

 private:
  Built build(const std::string& says) {
    const fs::path tree = scratch_.path() / ("tree-" + std::to_string(++built_));
    fs::create_directories(tree / "bin");
    std::ofstream(tree / "bin/ready", std::ios::binary) << measure::tiny_program(says);
    fs::permissions(tree / "bin/ready", fs::perms(0755));
    std::ofstream content(tree / "content");
    for (int i = 0; i < 3000; ++i) content << "line " << i * 7919 << '\n';
    content.close();
    Built built;
    built.file = tree.string() + ".zar";
    zar::BuildOptions options;
    options.block_size = kBlock;
    built.report = zar::build(tree, {}, options, built.file);
    std::ifstream in(built.file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto bytes = std::as_bytes(std::span(text));
    built.image.assign(bytes.begin(), bytes.end());
    return built;
  }

  measure::ScratchDirectory scratch_;
  origin::SigningKey key_ = origin::make_signing_key();
  int built_ = 0;
  Built right_, wrong_;
  std::size_t program_ = 0;
  std::unique_ptr<origin::OriginProcess> origin_;
};

// What one attack sets up. Starts as an honest hot launch of version 7.
struct Scene {
  std::vector<CacheScript> caches;  // one launch with each, one after the other; none: no cache
  ScriptedServer::Script origin;    // instead of the honest one
  LaunchRequest request;
};

enum class Expect {
  unnoticed,   // launches as if nothing were
  detour,      // launches, and says what was done instead
  tag_detour,  // the same with keyed verifiers, which alone ask for it; unnoticed with others
  refused,     // one clear error
  first_only,  // detour with the first cache, unnoticed with the second
};
std::string to_string(Expect e) {
  constexpr const char* kNames[] = {"launches", "launches by a detour",
                                    "launches; by a detour when keyed", "refused",
                                    "launches; by a detour from the liar"};
  return kNames[static_cast<int>(e)];
}

struct Attack {
  std::string name;
  Expect expect;
  std::string word;  // in the detour or the error
  std::function<void(const World&, Scene&)> stage;
};

using Change = std::function<void(const World&, Bytes&)>;
Attack image_attack(std::string name, Expect expect, std::string word, const Change& change,
                    HandOver hand_over = HandOver::sealed) {
  return {std::move(name), expect, std::move(word), [=](const World& w, Scene& s) {
            change(w, s.caches[0].image);
            s.request.hand_over = hand_over;
          }};
}

Attack memory_attack(std::string name, Expect expect, std::string word,
                     const std::function<void(CacheScript&)>& change) {
  return {std::move(name), expect, std::move(word),
          [=](const World&, Scene& s) { change(s.caches[0]); }};
}

Attack tag_attack(std::string name, const std::function<Bytes(const World&)>& tag) {
  return {std::move(name), Expect::tag_detour, "tag",
          [=](const World& w, Scene& s) { s.caches[0].tag = tag(w); }};
}

void send_raw(int socket, std::string_view bytes) {
  ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}
void hold(int socket) {
  pollfd p{socket, POLLRDHUP, 0};
  ::poll(&p, 1, -1);
}
// Each byte in time, all of them not.
void trickle(int socket) {
  for (const char c : std::string_view("MSVC\1\0\1\x80\xa\0\0", 11)) {
    send_raw(socket, {&c, 1});
    ::poll(nullptr, 0, 200);
  }
  hold(socket);
}
void send_descriptors(int socket, std::size_t count) {
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
Attack message_attack(std::string name, Message at, std::string word,
                      std::function<void(int)> instead, bool timed = false) {
  const bool tag = at == Message::get_tag || at == Message::put_tag;
  return {std::move(name), tag ? Expect::tag_detour : Expect::detour, std::move(word),
          [=](const World&, Scene& s) {
            CacheScript& cache = s.caches[0];
            cache.at = at;
            cache.instead = instead;
            cache.assembled = at != Message::fetch && at != Message::assemble;
            if (at == Message::get_copy) s.request.hand_over = HandOver::copy;
            if (at == Message::put_tag) cache.tag.reset();
            if (timed) s.request.deadline = kShort;
          }};
}

Attack boot_attack(std::string name, std::string word,
                   const std::function<Bytes(const World&)>& block) {
  return {std::move(name), Expect::refused, std::move(word),
          [=](const World& w, Scene& s) { s.request.boot_block = block(w); }};
}

// The cache is not there, so that the launcher has only this origin.
Attack origin_attack(
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

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::string recipe_of(const World& w) { return text_of(w.right().report.recipe.serialize()); }
// Answers honestly when asked for the recipe, and with `change`d blocks.
auto blocks_with(const std::function<void(std::string&)>& change) {
  return [=](const World& w, bool recipe, const ScriptedServer::Connection& peer) {
    std::string body = recipe ? recipe_of(w) : text_of(w.right().image);
    if (!recipe) change(body);
    peer.send_with_length(body);
  };
}

const char* const kNames[] = {"",           "lookup",   "fetch",   "assemble",
                              "get sealed", "get copy", "get tag", "put tag"};

void add_image_attacks(std::vector<Attack>& all) {
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
                   s.caches[0].tag = w.tag(w.expected(7, w.wrong()), w.wrong());
                 }});
  all.push_back({"two caches that disagree", first_only, "refused", [](const World& w, Scene& s) {
                   s.caches.push_back(s.caches[0]);
                   s.caches[0].image[w.program()] ^= std::byte{1};
                 }});
}

void add_memory_attacks(std::vector<Attack>& all) {
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
                                        ::pwrite(fd, "XXXX", 4, i * 512L) >= 0 ||
                                        ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                                    0, 1 << 20) == 0 ||
                                        ::ftruncate(fd, 0) == 0;
                                    if (changed) std::abort();  // noticed as a lost connection
                                  }
                                };
                              }));
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

void add_message_attacks(std::vector<Attack>& all) {
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

void add_tag_attacks(std::vector<Attack>& all) {
  all.push_back(
      tag_attack("tag of noise", [](const World&) { return Bytes(88, std::byte{0xa5}); }));
  all.push_back(
      tag_attack("tag of 4096 bytes", [](const World&) { return Bytes(4096, std::byte{1}); }));
  all.push_back(tag_attack("tag of no bytes", [](const World&) { return Bytes(); }));
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
    Bytes tag = w.tag(w.expected(6, w.right()), w.right());
    tag[48] = std::byte{7};
    return tag;
  }));
  all.push_back(tag_attack("tag of another image", [](const World& w) {
    return w.tag(w.expected(7, w.wrong()), w.wrong());
  }));
}

void add_boot_attacks(std::vector<Attack>& all) {
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

void add_origin_attacks(std::vector<Attack>& all) {
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

const std::vector<Attack>& attacks() {
  static const std::vector<Attack> all = [] {
    std::vector<Attack> list;
    add_image_attacks(list);
    add_memory_attacks(list);
    add_message_attacks(list);
    add_tag_attacks(list);
    add_boot_attacks(list);
    add_origin_attacks(list);
    return list;
  }();
  return all;
}

class Adversary : public testing::TestWithParam<std::size_t> {
 protected:
  static void SetUpTestSuite() {
    if (picoprocess_unavailable().empty()) world_ = new World;
  }
  static void TearDownTestSuite() {
    delete world_;
    world_ = nullptr;
  }
  void SetUp() override {
    if (const auto why = picoprocess_unavailable(); !why.empty()) GTEST_SKIP() << why;
  }

  static Scene honest() {
    const World& w = *world_;
    Scene s;
    s.caches = {{.image = w.right().image, .tag = w.tag(w.expected(7, w.right()), w.right())}};
    s.request.application = {"tiny", {}, {"/bin/ready"}, ReadyMark::first_output, ""};
    s.request.vendor = w.vendor();
    s.request.boot_block = w.boot_block(7);
    s.request.secret = w.secret();
    s.request.deadline = kPatience;
    s.request.origin_url = w.origin_url();
    s.request.cache_socket = w.file("cache.socket");
    return s;
  }

  // The launch's detours, "" for none; an error's text is thrown.
  static std::string launched(const LaunchRequest& request) {
    const LaunchOutcome outcome = decode_outcome(
        run_in_child([&] { return encode(launch(request)); }, kHang, "launch under attack"));
    EXPECT_EQ(outcome.records.back().step, "boot.application");
    EXPECT_LE(outcome.detours.size(), 2u) << "the tree instead of the tag, then the origin";
    std::string said;
    for (const std::string& detour : outcome.detours) said += (said.empty() ? "" : "; ") + detour;
    return said;
  }

  static World* world_;
};
World* Adversary::world_ = nullptr;

void judge(const Attack& attack, bool detour, const std::string& said) {
  EXPECT_EQ(said.find('\n'), std::string::npos) << "one line: " << said;
  EXPECT_LT(said.size(), 2000u);
  if (detour) {
    EXPECT_FALSE(said.empty()) << "launched, and noticed nothing";
    EXPECT_THAT(said, HasSubstr(attack.word));
  } else {
    EXPECT_EQ(said, "");
  }
}

void run_cell(const Attack& attack, Scene& scene, const fs::path& nobody,
              const std::function<std::string(const LaunchRequest&)>& launched) {
  using enum Expect;
  std::unique_ptr<ChildProcess> origin;
  if (scene.origin) {
    origin = std::make_unique<ChildProcess>(
        ChildProcess::Options{.name = "hostile origin", .keep = {}, .drop_to = {}},
        [&](const ChildProcess::Ready& ready) {
          const ScriptedServer server(scene.origin);
          ready(server.url());
          wait_for_sigterm();
          return 0;
        });
    scene.request.origin_url = origin->report();
  }
  const std::size_t launches = std::max<std::size_t>(scene.caches.size(), 1);
  for (std::size_t i = 0; i < launches; ++i) {
    std::unique_ptr<HostileCache> cache;
    if (scene.caches.empty())
      scene.request.cache_socket = nobody;
    else
      cache = std::make_unique<HostileCache>(scene.request.cache_socket, scene.caches[i]);
    try {
      const std::string said = launched(scene.request);
      EXPECT_NE(attack.expect, refused) << "launched";
      judge(attack,
            attack.expect == detour || (attack.expect == tag_detour && scene.request.keyed) ||
                (attack.expect == first_only && i == 0),
            said);
    } catch (const Error& e) {
      EXPECT_EQ(attack.expect, refused) << e.what();
      judge(attack, true, e.what());
    }
  }
  if (origin) origin->kill_now();
}

TEST_P(Adversary, NeverWrongBytes) {
  const Attack& attack = attacks()[GetParam()];
  std::printf("  %-62s", attack.name.c_str());
  for (const auto& verifier : verify::verifiers())
    for (const auto& method : deliveries()) {
      const std::string cell = verifier.name + "/" + method.name;
      if (!method.unavailable().empty()) {
        std::printf(" %s:n/a", cell.c_str());
        continue;
      }
      SCOPED_TRACE(attack.name + ", " + cell);
      Scene scene = honest();
      scene.request.keyed = verifier.keyed;
      scene.request.delivery = method.name;
      attack.stage(*world_, scene);
      run_cell(attack, scene, world_->file("nobody"), launched);
      std::printf(" %s:%s", cell.c_str(), HasFailure() ? "BROKEN" : "held");
    }
  std::printf("\n");
}

INSTANTIATE_TEST_SUITE_P(Matrix, Adversary, testing::Range(std::size_t{0}, attacks().size()),
                         [](const auto& each) {
                           std::string name = attacks()[each.param].name;
                           for (char& c : name)
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           return std::to_string(each.param) + "_" + name;
                         });

// To write it anew: MISSIVE_WRITE_ATTACKS=1 build/release/real_launch_adversary_test
TEST(AdversaryTable, IsTheOneInTheDocument) {
  std::string table = "| attack | outcome | it says |\n|---|---|---|\n";
  for (const Attack& a : attacks())
    table += "| " + a.name + " | " + to_string(a.expect) + " | " +
             (a.word.empty() ? "" : "`" + a.word + "`") + " |\n";
  const fs::path file = "docs/attacks.md";  // tests run in the source folder
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string begin = "<!-- attacks -->\n", end = "<!-- end -->";
  const std::size_t from = text.find(begin) + begin.size(), to = text.find(end);
  ASSERT_LE(from, to);
  if (std::getenv("MISSIVE_WRITE_ATTACKS") != nullptr)
    std::ofstream(file) << text.replace(from, to - from, table);
  else
    EXPECT_EQ(text.substr(from, to - from), table);
}

}  // namespace
}  // namespace missive::launch
