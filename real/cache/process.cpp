// CacheProcess and the socket it listens on.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/server.h"

namespace missive::cache {
namespace {

UniqueFd unix_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw_errno("cannot make a Unix socket");
  return fd;
}

bool nobody_listens(const sockaddr* address, socklen_t size) {
  const UniqueFd probe = unix_socket();
  return ::connect(probe.get(), address, size) != 0 && errno == ECONNREFUSED;
}

void give_to(int directory, const Credentials& owner, const std::string& where) {
  if (::fchown(directory, owner.uid, owner.gid) != 0) throw_errno("cannot give away " + where);
  for (const char* name : kStoreFiles) {
    if (::fchownat(directory, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno != ENOENT) {
      throw_errno("cannot give away " + where + "/" + name);
    }
  }
}

UniqueFd sigterm_descriptor() {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);  // blocked already: child_process.h
  UniqueFd fd(::signalfd(-1, &term, SFD_CLOEXEC));
  if (!fd) throw_errno("cannot wait for SIGTERM");
  return fd;
}

ChildProcess start(const CacheProcess::Options& options) {
  UniqueFd directory = open_store_directory(options.store);
  if (options.run_as) give_to(directory.get(), *options.run_as, options.store.string());
  UniqueFd listener = listen_at(options.socket);
  try {
    return ChildProcess(
        {.name = "cache", .keep = {listener.get(), directory.get()}, .drop_to = options.run_as},
        [&](const ChildProcess::Ready& ready) {
          const UniqueFd stop = sigterm_descriptor();
          Server server(std::move(listener), std::move(directory), options.store.string(),
                        options.server);
          ready("");
          server.run(stop.get());
          return 0;
        });
  } catch (...) {
    ::unlink(options.socket.c_str());
    throw;
  }
}

}  // namespace

UniqueFd listen_at(const std::filesystem::path& socket) {
  const std::string& path = socket.native();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw RunError("cache socket " + path + ": the path must be shorter than " +
                   std::to_string(sizeof address.sun_path) + " bytes (unix(7))");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);

  UniqueFd fd = unix_socket();
  int bound = ::bind(fd.get(), generic, sizeof address);
  if (bound != 0 && errno == EADDRINUSE && nobody_listens(generic, sizeof address)) {
    ::unlink(path.c_str());
    bound = ::bind(fd.get(), generic, sizeof address);
  }
  if (bound != 0) throw_errno("cannot listen on cache socket " + path);
  // Connecting needs write permission on the socket file (unix(7)).
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), 64) != 0) {
    ::unlink(path.c_str());
    throw_errno("cannot listen on cache socket " + path);
  }
  return fd;
}

std::optional<Credentials> default_credentials() {
  if (::geteuid() != 0) return std::nullopt;
  // Root of a user namespace may only change to users that are mapped into it (user_namespaces(7)).
  const Credentials nobody{};
  std::ifstream map("/proc/self/uid_map");
  for (std::uint64_t inside = 0, outside = 0, count = 0; map >> inside >> outside >> count;)
    if (nobody.uid >= inside && nobody.uid - inside < count) return nobody;
  return std::nullopt;
}

CacheProcess::CacheProcess(const Options& options)
    : socket_(options.socket), process_(start(options)) {}

CacheProcess::~CacheProcess() {
  if (process_.pid() >= 0) stop();
}

void CacheProcess::stop() {
  process_.stop();
  ::unlink(socket_.c_str());
}

void CacheProcess::kill_now() {
  process_.kill_now();
  ::unlink(socket_.c_str());
}

}  // namespace missive::cache
