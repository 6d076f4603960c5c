// The origin's HTTP client against an origin that answers anything. Input: 1 byte which request,
// then the answer, after which the connection ends.

#include "real/origin/client.h"

#include <atomic>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "real/fd.h"
#include "real/fuzz/fuzz_target.h"
#include "real/zar/test_tree.h"

namespace missive::fuzz {

namespace {

// Answers each connection with the input that is current.
class Answering {
 public:
  Answering() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    require(::bind(listener_.get(), generic, size) == 0 && ::listen(listener_.get(), 16) == 0 &&
                ::getsockname(listener_.get(), generic, &size) == 0,
            "a socket of our own");
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~Answering() {
    stopping_ = true;
    thread_.join();
  }
  const std::string& url() const { return url_; }
  void answer_with(std::span<const std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    answer_.assign(bytes.begin(), bytes.end());
  }

 private:
  Bytes current() {
    const std::lock_guard lock(mutex_);
    return answer_;
  }
  void serve() {
    while (!stopping_) {
      pollfd p{listener_.get(), POLLIN, 0};
      if (::poll(&p, 1, 20) <= 0) continue;
      const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      const Bytes answer = current();
      ::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      ::shutdown(peer.get(), SHUT_WR);
      // Until the client has gone: closing over unread bytes would take the answer back.
      std::array<char, 4096> drained{};
      while (::recv(peer.get(), drained.data(), drained.size(), 0) > 0) {
      }
    }
  }

  UniqueFd listener_;
  std::string url_;
  std::mutex mutex_;
  Bytes answer_;  // guarded by mutex_
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

const Bytes& block() {
  static const Bytes bytes = bytes_of(zar::noise(512, 1));
  return bytes;
}

void run(std::span<const std::byte> input) {
  static Answering origin;
  if (input.empty()) return;
  origin.answer_with(input.subspan(1));
  accepts([&] {
    origin::Client client(origin.url(), std::chrono::milliseconds(10'000));
    const zar::Digest image{};
    switch (std::to_integer<unsigned>(input[0]) % 3) {
      case 0:
        require(client.get_boot_block("demo").size() <= 64 * 1024, "boot blocks are bounded");
        break;
      case 1:
        client.get_recipe(image);
        break;
      default: {
        const zar::Digest wanted[] = {zar::sha256(block()), zar::sha256(block())};
        std::size_t count = 0;
        client.get_blocks(image, wanted, 512,
                          [&](const zar::Digest& name, std::span<const std::byte> bytes) {
                            ++count;
                            require(zar::sha256(bytes) == name, "blocks are what they are called");
                          });
        require(count == 2, "all blocks or an error");
      }
    }
  });
}

std::vector<Bytes> seeds() {
  const std::string twice = zar::as_text(block()) + zar::as_text(block());
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  std::vector<Bytes> all;
  for (const std::string& text :
       {std::string("\0", 1) + ok + "Content-Length: 4\r\n\r\nboot",
        std::string("\1") + ok + "Content-Length: 6\r\nConnection: close\r\n\r\nrecipe",
        std::string("\2") + ok + "Content-Length: 1024\r\n\r\n" + twice,
        std::string("\0", 1) + "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing",
        std::string("\1") + ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
        std::string("\0", 1) + "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx",
        std::string("\1") + "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n"})
    all.push_back(bytes_of(text));
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 2'000};

}  // namespace missive::fuzz
