#include "real/origin/connection.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "models/error.h"

namespace missive::origin {

Address parse_url(const std::string& url) {
  const std::string scheme = "http://";
  const std::size_t colon = url.rfind(':');
  if (url.starts_with(scheme) && colon != std::string::npos && colon > scheme.size()) {
    Address address{url.substr(scheme.size(), colon - scheme.size()), 0};
    in_addr parsed{};
    const char* const end = url.data() + url.size();
    const auto [stop, error] = std::from_chars(url.data() + colon + 1, end, address.port);
    if (error == std::errc() && stop == end && address.port > 0 && address.port < 65536 &&
        ::inet_pton(AF_INET, address.host.c_str(), &parsed) == 1) {
      return address;
    }
  }
  throw InputError("origin URL '" + url + "': expected http://A.B.C.D:PORT");
}

Waited wait_for_socket(int socket, short events, std::chrono::steady_clock::time_point end,
                       std::chrono::milliseconds pause, int cancel) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const auto patience = std::clamp(left, std::chrono::milliseconds(0), pause);
    pollfd p[] = {{socket, events, 0}, {cancel, POLLIN, 0}};  // poll(2) passes over -1
    const int n = ::poll(p, 2, static_cast<int>(patience.count()));
    if (p[1].revents != 0 && n > 0) return Waited::cancelled;
    if (n > 0) return Waited::ready;
    if (n < 0 && errno != EINTR) return Waited::failed;
    if (n == 0) return Waited::timed_out;
  }
}

Connected connect_to(const Address& to, std::chrono::steady_clock::time_point end,
                     std::chrono::milliseconds pause, int cancel) {
  Connected result;
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return result;
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(to.port));
  ::inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINPROGRESS) return result;
    result.why = wait_for_socket(socket.get(), POLLOUT, end, pause, cancel);
    if (result.why != Waited::ready) return result;
  }
  int error = 0;
  socklen_t size = sizeof error;
  result.why = Waited::failed;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
    result.socket = std::move(socket);
  return result;
}

}  // namespace missive::origin
