#pragma once
// The origin: the vendor's server (docs/origin-protocol.md). HTTP/1.1 on 127.0.0.1 only, with
// TCP_NODELAY, connections kept alive, and content sent straight from the mapped image file.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "real/child_process.h"
#include "real/zar/recipe.h"

namespace missive::origin {

// What the vendor publishes of one application.
struct Publication {
  std::string application;
  std::filesystem::path image_file;   // replaced by rename, never changed in place, while served
  zar::Recipe recipe;                 // served under the name that it computes to
  std::vector<std::byte> boot_block;  // served as it is: origin::sign() makes one
};

class Server {
 public:
  Server();
  ~Server();

  // Before listen(). Maps the image file. Throws InputError when its length is not the recipe's or
  // the application's name is not 1..128 printable ASCII characters; RunError when the file cannot
  // be read. Content is not compared with the recipe: that is what clients do.
  void publish(const Publication& publication);
  // Binds 127.0.0.1:`port` (0: the kernel chooses) and serves from its own threads. Throws RunError
  // when the port is taken. The library underneath sets SIGPIPE to ignored for the whole process.
  void listen(std::uint16_t port = 0);
  std::string url() const;  // "http://127.0.0.1:PORT"
  // Ends all connections and joins all threads.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The same as a child process; see child_process.h for what that promises.
class OriginProcess {
 public:
  explicit OriginProcess(const std::vector<Publication>& publications, std::uint16_t port = 0);

  const std::string& url() const { return process_.report(); }
  bool running() const { return process_.running(); }
  pid_t pid() const { return process_.pid(); }
  void stop() { process_.stop(); }
  void kill_now() { process_.kill_now(); }

 private:
  ChildProcess process_;
};

}  // namespace missive::origin
