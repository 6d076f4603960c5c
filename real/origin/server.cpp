#include "real/origin/server.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/origin/http_stream.h"
#include "real/origin/protocol.h"

namespace missive::origin {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kThreads = 8;  // each serves one connection at a time
constexpr auto kIdle = milliseconds(5'000);
constexpr auto kPause = milliseconds(5'000);
constexpr auto kRequest = milliseconds(120'000);
// Neighbouring blocks asked for together go out in one piece up to this size.
constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr const char* kBinary = "application/octet-stream";

struct Image {
  Mapping content;
  std::string recipe;
  std::uint32_t block_size = 0;
  std::unordered_map<zar::Digest, std::uint64_t> offsets;
};

struct Served {
  std::map<std::string, std::string> boot_blocks;
  std::unordered_map<zar::Digest, Image> images;
};

std::string as_string(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void refuse(httplib::Response& response, int status, const std::string& why) {
  response.status = status;
  response.set_content(why + "\n", "text/plain");
}

// cpp-httplib's server with our stream underneath, and a keep-alive wait that reacts at once: its
// own sleeps a millisecond between polls. Remembers its connections, so that stop() can end them.
class HttpServer final : public httplib::Server {
 public:
  void shut_connections() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int socket : open_) ::shutdown(socket, SHUT_RDWR);
  }

 private:
  bool process_and_close_socket(socket_t raw) override {
    const UniqueFd socket(raw);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      open_.insert(raw);
    }
    const bool ok = serve(raw);
    const std::lock_guard lock(mutex_);  // before `socket` closes: the number may be reused
    open_.erase(raw);
    ::shutdown(raw, SHUT_RDWR);
    return ok;
  }

  bool serve(int socket) {
    pollfd p{socket, POLLIN, 0};
    while (::poll(&p, 1, static_cast<int>(kIdle.count())) > 0) {
      HttpStream stream(socket, steady_clock::now() + kRequest, kPause, kMaxHeadBytes);
      bool closed = false;
      const bool ok =
          process_request(stream, false, closed, [&](httplib::Request&) { stream.head_done(); });
      if (!ok) return false;
      if (closed) return true;
      const std::lock_guard lock(mutex_);
      if (stopping_) return true;
    }
    return true;
  }

  std::mutex mutex_;
  std::set<int> open_;
  bool stopping_ = false;
};

}  // namespace

struct Server::Impl {
  Served served;
  HttpServer http;
  std::thread thread;
  int port = -1;

  void add_routes();
  void send_recipe(const std::string& hex, httplib::Response& response) const;
  void send_blocks(const std::string& hex, const std::string& body,
                   httplib::Response& response) const;
  const Image* find(const std::string& hex, httplib::Response& response) const;
};

const Image* Server::Impl::find(const std::string& hex, httplib::Response& response) const {
  try {
    const auto found = served.images.find(zar::digest_from_hex(hex));
    if (found != served.images.end()) return &found->second;
    refuse(response, 404, "no such image: " + hex);
  } catch (const InputError&) {
    refuse(response, 400, "an image's name is 64 hexadecimal digits");
  }
  return nullptr;
}

void Server::Impl::send_recipe(const std::string& hex, httplib::Response& response) const {
  if (const Image* image = find(hex, response)) response.set_content(image->recipe, kBinary);
}

void Server::Impl::send_blocks(const std::string& hex, const std::string& body,
                               httplib::Response& response) const {
  const Image* image = find(hex, response);
  if (image == nullptr) return;
  constexpr std::size_t kName = sizeof(zar::Digest);
  if (body.empty() || body.size() % kName != 0 || body.size() / kName > kMaxBlocksPerRequest) {
    return refuse(response, 400,
                  "the body must be 1 to " + std::to_string(kMaxBlocksPerRequest) +
                      " block hashes of 32 bytes");
  }
  std::vector<std::uint64_t> offsets;
  offsets.reserve(body.size() / kName);
  for (std::size_t i = 0; i < body.size(); i += kName) {
    zar::Digest wanted;
    std::memcpy(wanted.bytes.data(), body.data() + i, kName);
    const auto found = image->offsets.find(wanted);
    if (found == image->offsets.end()) {
      return refuse(response, 404, "the image has no block " + zar::to_hex(wanted));
    }
    offsets.push_back(found->second);
  }
  const std::size_t total = offsets.size() * image->block_size;
  response.set_content_provider(
      total, kBinary,
      [image, offsets = std::move(offsets)](std::size_t position, std::size_t,
                                            httplib::DataSink& sink) {
        const std::size_t size = image->block_size;
        const std::size_t first = position / size, inside = position % size;
        std::size_t next = first + 1;
        while (next < offsets.size() && offsets[next] == offsets[next - 1] + size &&
               (next - first) * size < kPiece) {
          ++next;
        }
        const auto from =
            image->content.bytes().subspan(offsets[first] + inside, (next - first) * size - inside);
        return sink.write(reinterpret_cast<const char*>(from.data()), from.size());
      });
}

void Server::Impl::add_routes() {
  http.Get("/v1/boot/(.+)", [this](const httplib::Request& request, httplib::Response& response) {
    const auto found = served.boot_blocks.find(request.matches[1]);
    if (found == served.boot_blocks.end()) return refuse(response, 404, "no such application");
    response.set_content(found->second, kBinary);
  });
  http.Get("/v1/recipe/([^/]+)",
           [this](const httplib::Request& request, httplib::Response& response) {
             send_recipe(request.matches[1], response);
           });
  http.Post("/v1/blocks/([^/]+)",
            [this](const httplib::Request& request, httplib::Response& response) {
              send_blocks(request.matches[1], request.body, response);
            });
  http.set_exception_handler(
      [](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
        refuse(response, 500, "the server failed");
      });
}

Server::Server() : impl_(std::make_unique<Impl>()) {
  HttpServer& http = impl_->http;
  http.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  http.set_tcp_nodelay(true);
  http.set_socket_options([](socket_t) {});  // the default is SO_REUSEPORT: two could share a port
  http.set_payload_max_length(kMaxBlocksPerRequest * sizeof(zar::Digest));
  impl_->add_routes();
}

Server::~Server() { stop(); }

void Server::publish(const Publication& publication) {
  const std::string& name = publication.application;
  const bool printable =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (name.empty() || name.size() > kMaxApplicationName || !printable) {
    throw InputError("application name: must be 1 to 128 printable ASCII characters");
  }
  const std::string file = publication.image_file.string();
  const zar::TreeShape& shape = publication.recipe.shape;
  zar::check(shape, "recipe of " + file);
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("cannot open image " + file);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("cannot stat image " + file);
  if (static_cast<std::uint64_t>(status.st_size) != shape.length ||
      publication.recipe.leaves.size() != shape.blocks()) {
    throw InputError(file + ": its length is not the recipe's; build image and recipe again");
  }
  Image image;
  image.content = Mapping::read_only(fd.get(), shape.length, file);
  image.recipe = as_string(publication.recipe.serialize());
  image.block_size = shape.block_size;
  for (std::uint64_t i = 0; i < shape.blocks(); ++i) {
    image.offsets.try_emplace(publication.recipe.leaves[i], i * shape.block_size);
  }
  impl_->served.boot_blocks[name] = as_string(publication.boot_block);
  impl_->served.images.insert_or_assign(publication.recipe.name(), std::move(image));
}

void Server::listen(std::uint16_t port) {
  HttpServer& http = impl_->http;
  const std::string host = "127.0.0.1";
  impl_->port = port == 0 ? http.bind_to_any_port(host) : http.bind_to_port(host, port) ? port : -1;
  if (impl_->port <= 0) {
    throw RunError("origin: cannot listen on " + host + ":" + std::to_string(port) +
                   "; is the port taken?");
  }
  impl_->thread = std::thread([&http] { http.listen_after_bind(); });
  // The library's stop() does nothing before this flag is up.
  while (!http.is_running()) std::this_thread::sleep_for(milliseconds(1));
}

std::string Server::url() const { return "http://127.0.0.1:" + std::to_string(impl_->port); }

void Server::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->http.stop();
  impl_->http.shut_connections();
  impl_->thread.join();
}

OriginProcess::OriginProcess(const std::vector<Publication>& publications, std::uint16_t port)
    : process_({.name = "origin", .keep = {}, .drop_to = std::nullopt},
               [&](const ChildProcess::Ready& ready) {
                 Server server;
                 for (const Publication& p : publications) server.publish(p);
                 server.listen(port);
                 ready(server.url());
                 wait_for_sigterm();
                 server.stop();
                 return 0;
               }) {}

}  // namespace missive::origin
