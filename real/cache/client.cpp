#include "real/cache/client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "models/error.h"
#include "real/cache/little_endian.h"
#include "real/cache/tag_store.h"
#include "real/cache/wire.h"

namespace missive::cache {
namespace {

using wire::Deadline;
using wire::Message;

sockaddr_un address_of(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = socket.native();
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw RunError("cache socket " + path + ": the path must be shorter than " +
                   std::to_string(sizeof address.sun_path) + " bytes (unix(7))");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

std::string text_of(std::span<const std::byte> payload) {
  std::string text(reinterpret_cast<const char*>(payload.data()),
                   std::min(payload.size(), wire::kMaxErrorText));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return text;
}

// A flag of the protocol is 0 or 1.
bool flag(std::byte b, const std::string& where) {
  if (b > std::byte{1}) throw RunError(where + ": malformed answer");
  return b == std::byte{1};
}

// Sends a request on `socket` and returns the answer to it. On any error the socket is closed:
// nobody could tell where the next answer begins.
class Exchange {
 public:
  Exchange(UniqueFd& socket, std::chrono::milliseconds limit, Message request, const char* name,
           std::span<const std::byte> payload, std::span<const std::byte> body = {})
      : socket_(socket), deadline_(limit), where_(std::string("cache: ") + name) {
    if (!socket_) throw RunError(where_ + ": the connection was given up after an error");
    guarded([&] {
      std::exception_ptr cut;
      try {
        wire::send_message(socket_.get(), request, payload, -1, deadline_, where_);
        wire::send_bytes(socket_.get(), body, deadline_, where_);
      } catch (const RunError&) {  // a cache that refuses need not take the rest: see what it said
        cut = std::current_exception();
      }
      answer_ =
          wire::receive_message(socket_.get(), request == Message::get_sealed, deadline_, where_);
      if (cut && answer_.type != Message::error) std::rethrow_exception(cut);
      if (answer_.type == Message::error) throw RunError(where_ + ": " + text_of(answer_.payload));
      if (answer_.type != wire::reply_to(request)) malformed();
    });
  }

  // The payload, which must have this length.
  const std::byte* payload(std::size_t length) {
    if (answer_.payload.size() != length) guarded([&] { malformed(); });
    return answer_.payload.data();
  }
  wire::Received& answer() { return answer_; }
  const std::string& where() const { return where_; }
  void receive(std::span<std::byte> into) {
    guarded([&] { wire::receive_bytes(socket_.get(), into, deadline_, where_); });
  }
  template <typename Function>
  void guarded(Function&& function) {
    try {
      function();
    } catch (...) {
      socket_.reset();
      throw;
    }
  }
  [[noreturn]] void malformed() const { throw RunError(where_ + ": malformed answer"); }

 private:
  UniqueFd& socket_;
  Deadline deadline_;
  std::string where_;
  wire::Received answer_;
};

}  // namespace

UniqueFd connect_to(const std::filesystem::path& socket, std::chrono::milliseconds deadline) {
  const sockaddr_un address = address_of(socket);
  const std::string where = "cache at " + socket.string();
  UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!connection) throw_errno(where + ": cannot make a socket");
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
         0) {
    // EAGAIN: its queue is full (connect(2)); there is nothing to poll for.
    if (errno != EAGAIN && errno != EINTR) throw_errno(where + ": cannot connect");
    if (std::chrono::steady_clock::now() >= end) {
      throw RunError(where + ": does not accept within " + std::to_string(deadline.count()) +
                     " ms");
    }
    ::poll(nullptr, 0, 1);
  }
  return connection;
}

Client Client::over(UniqueFd socket, std::chrono::milliseconds deadline) {
  Client client;
  client.socket_ = std::move(socket);
  client.deadline_ = deadline;
  return client;
}

Client Client::connect(const std::filesystem::path& socket, std::chrono::milliseconds deadline) {
  return over(connect_to(socket, deadline), deadline);
}

LookupReply Client::lookup(const zar::Digest& image) {
  Exchange x(socket_, deadline_, Message::lookup, "lookup", image.bytes);
  const std::byte* p = x.payload(10);
  LookupReply reply;
  x.guarded([&] {
    reply = {flag(p[0], x.where()), flag(p[1], x.where()), load_le<std::uint64_t>(p + 2)};
  });
  return reply;
}

FetchReply Client::fetch(const zar::Digest& image) {
  Exchange x(socket_, deadline_, Message::fetch, "fetch", image.bytes);
  const std::byte* p = x.payload(24);
  return {load_le<std::uint64_t>(p), load_le<std::uint64_t>(p + 8), load_le<std::uint64_t>(p + 16)};
}

AssembleReply Client::assemble(const zar::Digest& image) {
  Exchange x(socket_, deadline_, Message::assemble, "assemble", image.bytes);
  return {load_le<std::uint64_t>(x.payload(8))};
}

UniqueFd Client::get_sealed(const zar::Digest& image) {
  Exchange x(socket_, deadline_, Message::get_sealed, "get_sealed", image.bytes);
  x.payload(0);
  x.guarded([&] {
    if (!x.answer().descriptor) throw RunError(x.where() + ": the answer came without descriptor");
  });
  return std::move(x.answer().descriptor);
}

void Client::get_copy(const zar::Digest& image, std::span<std::byte> into) {
  Exchange x(socket_, deadline_, Message::get_copy, "get_copy", image.bytes);
  const auto length = load_le<std::uint64_t>(x.payload(8));
  x.guarded([&] {
    if (length != into.size()) {
      throw RunError(x.where() + ": the image has " + std::to_string(length) +
                     " bytes instead of " + std::to_string(into.size()));
    }
  });
  x.receive(into);
}

std::optional<std::vector<std::byte>> Client::get_tag(const zar::Digest& key) {
  Exchange x(socket_, deadline_, Message::get_tag, "get_tag", key.bytes);
  const std::vector<std::byte>& payload = x.answer().payload;
  bool found = false;
  x.guarded([&] {
    if (payload.empty() || payload.size() > 1 + kMaxTagBytes) x.malformed();
    found = flag(payload[0], x.where());
    if (!found && payload.size() != 1) x.malformed();
  });
  if (!found) return std::nullopt;
  return std::vector<std::byte>(payload.begin() + 1, payload.end());
}

void Client::put_tag(const zar::Digest& key, std::span<const std::byte> value) {
  if (value.size() > kMaxTagBytes) {
    throw RunError("cache: put_tag: a value of " + std::to_string(value.size()) +
                   " bytes; at most " + std::to_string(kMaxTagBytes) + " are allowed");
  }
  std::vector<std::byte> payload(key.bytes.begin(), key.bytes.end());
  payload.insert(payload.end(), value.begin(), value.end());
  Exchange(socket_, deadline_, Message::put_tag, "put_tag", payload).payload(0);
}

std::vector<std::byte> Client::stat() {
  return std::move(Exchange(socket_, deadline_, Message::stat, "stat", {}).answer().payload);
}

namespace {

// What follows an answer on the socket: announced to be `announced` bytes, of which exactly
// `length` are taken.
std::vector<std::byte> receive_body(Exchange& x, std::uint64_t announced, std::uint64_t length,
                                    const char* what) {
  x.guarded([&] {
    if (announced != length) {
      throw RunError(x.where() + ": " + what + " has " + std::to_string(announced) +
                     " bytes instead of " + std::to_string(length));
    }
  });
  std::vector<std::byte> body(length);
  x.receive(body);
  return body;
}

}  // namespace

std::vector<std::byte> Client::get_recipe(const zar::Digest& image, std::uint64_t length) {
  Exchange x(socket_, deadline_, Message::get_recipe, "get_recipe", image.bytes);
  return receive_body(x, load_le<std::uint64_t>(x.payload(8)), length, "the recipe");
}

std::optional<std::vector<std::byte>> Client::get_block_tags(const zar::Digest& image,
                                                             std::uint64_t length) {
  Exchange x(socket_, deadline_, Message::get_block_tags, "get_block_tags", image.bytes);
  const std::byte* p = x.payload(9);
  bool found = false;
  x.guarded([&] { found = flag(p[0], x.where()); });
  const auto announced = load_le<std::uint64_t>(p + 1);
  if (found) return receive_body(x, announced, length, "the record");
  if (announced != 0) x.guarded([&] { x.malformed(); });
  return std::nullopt;
}

void Client::put_block_tags(const zar::Digest& image, std::span<const std::byte> record) {
  std::vector<std::byte> payload(image.bytes.begin(), image.bytes.end());
  append_le(payload, static_cast<std::uint64_t>(record.size()));
  Exchange(socket_, deadline_, Message::put_block_tags, "put_block_tags", payload, record)
      .payload(0);
}

void Client::forget_assembled() {
  Exchange(socket_, deadline_, Message::forget_assembled, "forget_assembled", {}).payload(0);
}

}  // namespace missive::cache
