#include "real/cache/server.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <list>
#include <optional>
#include <thread>

#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/body_budget.h"
#include "real/cache/little_endian.h"
#include "real/cache/metrics.h"
#include "real/cache/wire.h"

namespace missive::cache {
namespace {

using wire::Deadline;
using wire::Message;

constexpr const char* kWhere = "cache client";

// A request that is not of the protocol: answered, then the connection ends.
struct Malformed : RunError {
  using RunError::RunError;
};

zar::Digest digest_in(std::span<const std::byte> payload, bool exactly) {
  zar::Digest digest;
  const std::size_t size = digest.bytes.size();
  if (payload.size() < size || (exactly && payload.size() != size)) {
    throw Malformed("malformed request: wrong length");
  }
  std::memcpy(digest.bytes.data(), payload.data(), size);
  return digest;
}

struct Answer {
  std::vector<std::byte> payload;
  std::shared_ptr<const Service::Assembled> image;
  bool as_copy = false;              // the image's bytes follow; else it goes along as a descriptor
  std::vector<std::byte> body = {};  // follows the message
  std::optional<BodyBudget::Share> share =
      std::nullopt;  // of the body, before it is there, until it is sent
};

constexpr const char* kBusy = "too much is on its way to other clients; ask again";

// For sendfile(2), which unlike send(2) has no MSG_NOSIGNAL: a client who leaves before all of a
// copy is out would end the process that this server runs in. SIGPIPE goes to the thread that wrote
// (signal(7), pthread_sigmask(3)) and, blocked, ends with it.
void block_sigpipe() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
}

// The image through the socket. With sendfile(2) the pages themselves go into the socket's queue:
// the receiver's copy is the only one. Only in threads that block SIGPIPE.
void stream_image(int socket, const Service::Assembled& image, const Deadline& deadline) {
  off_t offset = 0;
  const auto end = static_cast<off_t>(image.length);
  while (offset < end) {
    deadline.wait_for(socket, POLLOUT, kWhere);
    const ssize_t n =
        ::sendfile(socket, image.memory.get(), &offset, static_cast<std::size_t>(end - offset));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) throw RunError("cache client: the connection was lost");
  }
}

}  // namespace

struct Server::Impl {
  struct Connection {
    UniqueFd socket;
    std::thread thread;
    std::atomic<bool> done = false;
  };

  UniqueFd listener, directory;
  ServerOptions options;
  Store store;
  TagStore tags;
  Service service;
  BodyBudget bodies;
  std::atomic<bool> stopping = false;
  std::list<Connection> connections;
  std::atomic<std::uint64_t> open_connections = 0;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  Impl(UniqueFd listener_fd, UniqueFd directory_fd, const std::string& where,
       const ServerOptions& server_options)
      : listener(std::move(listener_fd)),
        directory(std::move(directory_fd)),
        options(server_options),
        store(directory.get(), where, options.store),
        tags(directory.get(), where),
        service(store, options.service),
        bodies(options.max_body_bytes) {}

  void accept_one();
  void end_connections(bool all);
  void serve(int socket);
  bool serve_one(int socket);
  Answer answer_to(const wire::Received& request, int socket);
  BodyBudget::Share share_of(std::uint64_t bytes);
  void put_block_tags(const wire::Received& request, int socket);
  std::vector<std::byte> stat() const;
  void send(int socket, Message request, const Answer& answer) const;
  void refuse(int socket, const std::string& why);
  void act_up(Message request) const;
};

void Server::Impl::act_up(Message request) const {
  const Misbehaviour& fault = options.service.misbehaviour;
  if (fault.die_at == request) ::raise(SIGKILL);
  while (fault.never_answer == request && !stopping) ::poll(nullptr, 0, 20);
}

// The record follows the request. One that is not wanted is not read, and nobody could tell where
// the next request begins: the connection ends.
void Server::Impl::put_block_tags(const wire::Received& request, int socket) {
  const zar::Digest image = digest_in(request.payload, false);
  if (request.payload.size() != image.bytes.size() + 8)
    throw Malformed("malformed request: wrong length");
  const auto length = load_le<std::uint64_t>(request.payload.data() + image.bytes.size());
  const auto blocks = service.blocks_of(image);
  if (!blocks) throw Malformed("block tags of an image whose recipe is not known; fetch first");
  const std::uint64_t limit = most_block_tag_bytes(*blocks);
  if (length > limit)
    throw Malformed("block tags of " + std::to_string(length) + " bytes; at most " +
                    std::to_string(limit) + " for an image of this length");
  const auto share = bodies.take(length);
  if (!share) throw Malformed(kBusy);
  std::vector<std::byte> record(length);
  wire::receive_bytes(socket, record, Deadline(options.io_timeout), kWhere);
  tags.put(block_tags_key(image), record, limit);
}

BodyBudget::Share Server::Impl::share_of(std::uint64_t bytes) {
  auto share = bodies.take(bytes);
  if (!share) throw RunError(kBusy);
  return std::move(*share);
}

Answer Server::Impl::answer_to(const wire::Received& request, int socket) {
  const auto digest = [&] { return digest_in(request.payload, true); };
  Answer answer;
  std::vector<std::byte>& out = answer.payload;
  switch (request.type) {
    case Message::lookup: {
      const LookupReply r = service.lookup(digest());
      out = {std::byte{r.assembled}, std::byte{r.recipe_known}};
      append_le(out, r.blocks_missing);
      break;
    }
    case Message::fetch: {
      const FetchReply r = service.fetch(digest());
      for (const auto v : {r.bytes_fetched, r.blocks_fetched, r.requests}) append_le(out, v);
      break;
    }
    case Message::assemble:
      append_le(out, service.assemble(digest()).bytes_assembled);
      break;
    case Message::get_sealed:
      answer.image = service.assembled(digest());
      break;
    case Message::get_copy:
      answer.image = service.assembled(digest());
      answer.as_copy = true;
      append_le(out, answer.image->length);
      break;
    case Message::get_tag: {
      auto value = tags.get(digest());
      if (options.service.misbehaviour.garbage_tags) value.emplace(4000, std::byte{0xa5});
      out.push_back(std::byte{value.has_value()});
      if (value) out.insert(out.end(), value->begin(), value->end());
      break;
    }
    case Message::put_tag: {
      const zar::Digest key = digest_in(request.payload, false);
      tags.put(key, std::span(request.payload).subspan(key.bytes.size()));
      break;
    }
    case Message::stat:
      if (!request.payload.empty()) throw Malformed("malformed request: wrong length");
      out = stat();
      break;
    case Message::get_recipe: {
      const zar::Digest image = digest();
      const auto length = store.recipe_length(image);
      answer.share = share_of(length.value_or(0));
      auto recipe = length ? store.recipe(image) : std::nullopt;
      if (!recipe) throw RunError("the recipe is not known; fetch first");
      append_le(out, static_cast<std::uint64_t>(recipe->size()));
      answer.body = std::move(*recipe);
      break;
    }
    case Message::get_block_tags: {
      const zar::Digest key = block_tags_key(digest());
      const std::size_t length = tags.length(key);
      answer.share = share_of(length);
      auto record = tags.get(key);
      if (record && record->size() > length) throw RunError(kBusy);  // a longer one came meanwhile
      if (options.service.misbehaviour.garbage_tags && record)
        std::ranges::fill(*record, std::byte{0xa5});
      out.push_back(std::byte{record.has_value()});
      append_le(out, static_cast<std::uint64_t>(record ? record->size() : 0));
      if (record) answer.body = std::move(*record);
      break;
    }
    case Message::put_block_tags:
      put_block_tags(request, socket);
      break;
    case Message::forget_assembled:
      if (!request.payload.empty()) throw Malformed("malformed request: wrong length");
      service.forget_assembled();
      break;
    default:
      throw Malformed("malformed request: unknown number");
  }
  return answer;
}

std::vector<std::byte> Server::Impl::stat() const {
  const auto uptime = std::chrono::steady_clock::now() - started;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(uptime).count();
  const std::string text = encode_metrics(metrics_of(
      store, service, {tags.size(), open_connections, static_cast<std::uint64_t>(seconds)}));
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void Server::Impl::send(int socket, Message request, const Answer& answer) const {
  const Deadline deadline(options.io_timeout);
  const int descriptor = answer.image && !answer.as_copy ? answer.image->memory.get() : -1;
  wire::send_message(socket, wire::reply_to(request), answer.payload, descriptor, deadline, kWhere);
  if (answer.as_copy) stream_image(socket, *answer.image, deadline);
  wire::send_bytes(socket, answer.body, deadline, kWhere);
}

void Server::Impl::refuse(int socket, const std::string& why) {
  service.counters().errors += 1;
  const auto text = std::as_bytes(std::span(why));
  wire::send_message(socket, Message::error, text.first(std::min(text.size(), wire::kMaxErrorText)),
                     -1, Deadline(options.io_timeout), kWhere);
}

bool Server::Impl::serve_one(int socket) {
  pollfd p{socket, POLLIN, 0};
  if (::poll(&p, 1, static_cast<int>(options.idle_timeout.count())) <= 0) return false;
  const wire::Received request =
      wire::receive_message(socket, false, Deadline(options.io_timeout), kWhere);
  service.counters().requests += 1;
  act_up(request.type);
  Answer answer;
  try {
    answer = answer_to(request, socket);
  } catch (const Malformed& e) {
    refuse(socket, e.what());
    return false;
  } catch (const std::exception& e) {
    refuse(socket, e.what());
    return true;
  }
  send(socket, request.type, answer);
  return true;
}

void Server::Impl::serve(int socket) {
  try {
    while (!stopping && serve_one(socket)) {
    }
  } catch (const std::exception& e) {
    // The client left, stalled or does not speak the protocol. There is nobody to tell but it.
  }
  ::shutdown(socket, SHUT_RDWR);
}

void Server::Impl::accept_one() {
  end_connections(false);  // first: their descriptors may be the only ones left to accept with
  UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) ::poll(nullptr, 0, 10);
    return;
  }
  if (connections.size() >= options.max_connections) {
    service.counters().connections_refused += 1;
    try {
      refuse(socket.get(), "too many connections");
    } catch (const RunError&) {
    }
    return;
  }
  service.counters().connections += 1;
  Connection& connection = connections.emplace_back();
  connection.socket = std::move(socket);
  try {
    connection.thread = std::thread([this, &connection] {
      block_sigpipe();
      open_connections += 1;
      serve(connection.socket.get());
      open_connections -= 1;
      connection.done = true;
    });
  } catch (const std::system_error&) {
    connections.pop_back();  // no thread to be had: the client sees its connection closed
  }
}

void Server::Impl::end_connections(bool all) {
  if (all) {
    for (const Connection& c : connections) ::shutdown(c.socket.get(), SHUT_RDWR);
  }
  for (auto c = connections.begin(); c != connections.end();) {
    if (!all && !c->done) {
      ++c;
      continue;
    }
    c->thread.join();
    c = connections.erase(c);
  }
}

Server::Server(UniqueFd listener, UniqueFd directory, const std::string& where,
               const ServerOptions& options)
    : impl_(std::make_unique<Impl>(std::move(listener), std::move(directory), where, options)) {}
Server::~Server() = default;

void Server::run(int stop) {
  for (;;) {
    pollfd p[] = {{stop, POLLIN, 0}, {impl_->listener.get(), POLLIN, 0}};
    if (::poll(p, 2, -1) < 0 && errno != EINTR) throw_errno("cache: cannot wait for clients");
    if (p[0].revents != 0) break;
    if (p[1].revents != 0) impl_->accept_one();
  }
  impl_->stopping = true;
  impl_->service.stop();
  impl_->end_connections(true);
}

}  // namespace missive::cache
