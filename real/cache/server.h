#pragma once
// The untrusted cache: a server on a Unix socket (docs/cache-protocol.md), normally in a process of
// its own, under a uid of its own.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "real/cache/service.h"
#include "real/cache/store.h"
#include "real/cache/tag_store.h"
#include "real/child_process.h"

namespace missive::cache {

struct ServerOptions {
  Store::Options store;
  ServiceOptions service;
  std::size_t max_connections = 16;  // one more gets an error and is closed
  // Of recipes and block tags on their way, of all connections together; more gets an error.
  std::uint64_t max_body_bytes = std::uint64_t{64} << 20;
  std::chrono::milliseconds io_timeout{10'000};     // to read a request, and to send its answer
  std::chrono::milliseconds idle_timeout{600'000};  // between two requests of a connection
};

// Serves the store in an open directory on a listening socket. A thread for each connection; what a
// client does in its own ends at most that connection, whatever the process does on SIGPIPE.
class Server {
 public:
  // `where` names the directory in messages. Throws RunError when the store cannot be opened.
  Server(UniqueFd listener, UniqueFd directory, const std::string& where,
         const ServerOptions& options);
  ~Server();

  // Until `stop` (any pollable descriptor) is readable; then ends all connections and fetches, also
  // those that wait for their origin, and returns.
  void run(int stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Binds and listens. A socket file that nobody listens to any more is replaced. Throws RunError
// when the path is too long or somebody does.
UniqueFd listen_at(const std::filesystem::path& socket);

// "nobody" when this process may change to it, else nothing: the cache then runs under our own uid.
std::optional<Credentials> default_credentials();

// The cache as a child process; see child_process.h for what that promises. The socket is made by
// the parent, with mode 0600, and removed by it; the store's directory and files are given to the
// child's uid. The directories above may be closed to that uid: the child gets the directory open.
class CacheProcess {
 public:
  struct Options {
    std::filesystem::path socket;
    std::filesystem::path store;
    ServerOptions server;
    std::optional<Credentials> run_as = default_credentials();
  };
  // Returns when the cache accepts requests. Throws RunError with the cache's own reason when it
  // cannot start.
  explicit CacheProcess(const Options& options);
  CacheProcess(CacheProcess&&) noexcept = default;
  CacheProcess& operator=(CacheProcess&&) = delete;
  ~CacheProcess();

  const std::filesystem::path& socket() const { return socket_; }
  bool running() const { return process_.running(); }
  pid_t pid() const { return process_.pid(); }
  void stop();
  void kill_now();

 private:
  std::filesystem::path socket_;
  ChildProcess process_;
};

}  // namespace missive::cache
