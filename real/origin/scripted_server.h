#pragma once
// A server for tests that answers a connection with whatever a function writes: the origins that
// lie, stall, die or never end. One connection after the other unless asked otherwise. Header-only;
// not used outside tests.

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "real/fd.h"

namespace missive::origin {

class ScriptedServer {
 public:
  // One accepted connection, after its request was read.
  class Connection {
   public:
    Connection(int socket, std::string body, const std::atomic<bool>& stopping)
        : socket_(socket), body_(std::move(body)), stopping_(stopping) {}
    const std::string& body() const { return body_; }  // of the request
    bool stopping() const { return stopping_; }
    bool send(std::string_view bytes) const {
      while (!bytes.empty() && !stopping_) {
        const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
          pause(10);
          continue;
        }
        if (n < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
      }
      return !stopping_;
    }
    // Says that the connection ends with the answer: the peer would send the next request through
    // it where it is faster than the end.
    void send_with_length(std::string_view body) const {
      send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n");
      send(body);
    }
    void pause(int milliseconds) const { ::poll(nullptr, 0, milliseconds); }
    // Until the peer closes or the test ends.
    void hold() const {
      pollfd p{socket_, POLLRDHUP, 0};
      while (!stopping_ && ::poll(&p, 1, 20) == 0) {
      }
    }

   private:
    int socket_;
    std::string body_;
    const std::atomic<bool>& stopping_;
  };
  using Script = std::function<void(const std::string& head, const Connection&)>;

  // `later`: only bound; start() serves. For tests that fork in between: a child process must be
  // forked before there are threads (child_process.h).
  enum class Start { now, later };
  // `at_once`: each connection in a thread of its own, and the script must be safe for that.
  enum class Peers { in_turn, at_once };
  explicit ScriptedServer(Script script, Start start_when = Start::now,
                          Peers peers = Peers::in_turn)
      : script_(std::move(script)),
        peers_(peers),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0) {
      throw_errno("scripted server");
    }
    port_ = ntohs(address.sin_port);
    if (start_when == Start::now) start();
  }
  ~ScriptedServer() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void start() {
    thread_ = std::thread([this] { serve(); });
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }

 private:
  static std::size_t content_length(const std::string& head) {
    constexpr std::string_view kField = "\r\nContent-Length: ";
    const std::size_t at = head.find(kField);
    return at == std::string::npos ? 0
                                   : std::strtoull(head.c_str() + at + kField.size(), nullptr, 10);
  }
  void serve() {
    std::vector<std::thread> threads;
    while (!stopping_) {
      pollfd p{listener_.get(), POLLIN, 0};
      if (::poll(&p, 1, 20) <= 0) continue;
      UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      ++connections_;
      if (peers_ == Peers::in_turn) {
        answer(socket.get());
      } else {
        threads.emplace_back([this, s = std::move(socket)] { answer(s.get()); });
      }
    }
    for (std::thread& t : threads) t.join();
  }
  void answer(int socket) {
    std::string head;
    char c = 0;
    while (!head.ends_with("\r\n\r\n") && ::recv(socket, &c, 1, 0) == 1) head.push_back(c);
    // A socket that is closed with bytes unread takes back what was sent through it.
    std::string body;
    while (body.size() < content_length(head) && ::recv(socket, &c, 1, 0) == 1) body.push_back(c);
    script_(head, Connection(socket, std::move(body), stopping_));
  }

  Script script_;
  Peers peers_;
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace missive::origin
