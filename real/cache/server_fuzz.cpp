// The cache against a client that says anything: it goes on serving others. The input is all that
// one connection sends. A real server with one image in its store runs in a thread of this process.

#include "real/cache/server.h"

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "real/cache/client.h"
#include "real/fuzz/fuzz_target.h"
#include "real/zar/recipe.h"
#include "real/zar/test_tree.h"

namespace missive::fuzz {

namespace {

const Bytes& image() {
  static const Bytes bytes = bytes_of(zar::noise(2 * 4096, 1));
  return bytes;
}
const zar::Recipe& recipe() {
  static const zar::Recipe r = zar::make_recipe(image(), 4096, 4);
  return r;
}

class Running {
 public:
  Running() : stop_(::eventfd(0, EFD_CLOEXEC)) {
    {
      cache::Store store(dir_.path() / "store", {});
      for (std::size_t i = 0; i < recipe().leaves.size(); ++i)
        store.put(recipe().leaves[i], std::span(image()).subspan(i * 4096, 4096));
      store.put_recipe(recipe().name(), recipe().serialize());
    }
    cache::ServerOptions options;
    options.io_timeout = std::chrono::milliseconds(2'000);
    options.idle_timeout = std::chrono::milliseconds(2'000);
    server_ = std::make_unique<cache::Server>(cache::listen_at(socket()),
                                              cache::open_store_directory(dir_.path() / "store"),
                                              "store", options);
    thread_ = std::thread([this] { server_->run(stop_.get()); });
  }
  ~Running() {
    const std::uint64_t one = 1;
    require(::write(stop_.get(), &one, sizeof one) == sizeof one, "the server can be stopped");
    thread_.join();
  }
  std::filesystem::path socket() const { return dir_.path() / "socket"; }

 private:
  zar::TemporaryDirectory dir_;
  UniqueFd stop_;
  std::unique_ptr<cache::Server> server_;
  std::thread thread_;
};

// Threads of this process: a directory of /proc has two links more than directories in it
// (proc(5)).
std::size_t threads() {
  struct stat s {};
  require(::stat("/proc/self/task", &s) == 0, "threads can be counted");
  return s.st_nlink;
}

void run(std::span<const std::byte> input) {
  static const Running server;
  const std::size_t threads_before = threads();
  UniqueFd socket;
  require(accepts([&] { socket = cache::connect_to(server.socket(), std::chrono::seconds(5)); }),
          "the server accepts connections");
  // connect_to() leaves it non-blocking, for deadlines; here the test's own is enough.
  ::fcntl(socket.get(), F_SETFL, 0);
  ::send(socket.get(), input.data(), input.size(), MSG_NOSIGNAL);
  ::shutdown(socket.get(), SHUT_WR);
  // To the end: libFuzzer's alarm clock interrupts every few seconds.
  std::array<char, 16'384> answer{};
  ssize_t n = 0;
  while ((n = ::recv(socket.get(), answer.data(), answer.size(), 0)) > 0 ||
         (n < 0 && errno == EINTR)) {
  }
  // The connection's thread lives a little longer than the connection, and is part of this input.
  // LeakSanitizer would not find it either, once the kernel has given it the number of one that has
  // ended, and would report all that it holds (docs/fuzzing.md).
  while (threads() > threads_before) ::usleep(20);
}

Bytes message(unsigned type, std::span<const std::byte> payload) {
  Bytes all = bytes_of(std::string("MSVC\1\0\0\0\0\0\0\0", 12));
  all[6] = static_cast<std::byte>(type);
  all[8] = static_cast<std::byte>(payload.size());
  all.insert(all.end(), payload.begin(), payload.end());
  return all;
}

std::vector<Bytes> seeds() {
  const zar::Digest name = recipe().name();
  std::vector<Bytes> all;
  Bytes session;
  for (unsigned type = 1; type <= 11; ++type) {
    Bytes payload(name.bytes.begin(), name.bytes.end());
    if (type == 7) payload.resize(60);
    if (type == 8) payload.clear();
    const std::size_t record = type == 11 ? 112 : 0;  // behind the message
    if (record > 0) {
      payload.resize(40);
      payload[32] = static_cast<std::byte>(record);
    }
    all.push_back(message(type, payload));
    all.back().resize(all.back().size() + record);
    session.insert(session.end(), all.back().begin(), all.back().end());
  }
  all.push_back(session);
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 2'000};

}  // namespace missive::fuzz
