#include "real/origin/client.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <exception>
#include <optional>

#include "models/error.h"
#include "real/origin/connection.h"
#include "real/origin/http_stream.h"
#include "real/origin/protocol.h"

namespace missive::origin {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxErrorText = 256;
// Of a single read; the deadline of the whole call is what counts, this only fits it into poll(2).
constexpr auto kPause = milliseconds(3'600'000);

std::string percent_encoded(const std::string& text) {
  constexpr const char* kHex = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(static_cast<char>(c));
    } else {
      out.append({'%', kHex[c >> 4], kHex[c & 15]});
    }
  }
  return out;
}

// Text of an origin inside a message of ours: one line, printable.
std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return text;
}

// cpp-httplib's client with our stream underneath.
class HttpClient final : public httplib::ClientImpl {
 public:
  HttpClient(const Address& address, int cancel)
      : ClientImpl(address.host, address.port), address_(address), cancel_(cancel) {
    set_keep_alive(true);
    set_decompress(false);
    set_url_encode(false);
    set_follow_location(false);
  }

  void start(steady_clock::time_point end) {
    end_ = end;
    connected_ = timed_out_ = cancelled_ = head_too_long_ = false;
    left_over_ = 0;
  }
  void head_done() {
    if (stream_ != nullptr) stream_->head_done();
  }
  bool connected() const { return connected_; }
  bool timed_out() const { return timed_out_; }
  bool cancelled() const { return cancelled_; }
  bool head_too_long() const { return head_too_long_; }
  std::size_t left_over() const { return left_over_; }

 private:
  // Not the library's own way: that one waits for nothing but a timeout of its own.
  bool create_and_connect_socket(Socket& socket, httplib::Error& error) override {
    Connected made = connect_to(address_, end_, kPause, cancel_);
    timed_out_ = made.why == Waited::timed_out;
    cancelled_ = made.why == Waited::cancelled;
    error = httplib::Error::Connection;
    if (!made.socket) return false;
    socket.sock = made.socket.release();
    return true;
  }
  bool process_socket(const Socket& socket,
                      std::function<bool(httplib::Stream&)> callback) override {
    connected_ = true;
    HttpStream stream(socket.sock, end_, kPause, kMaxHeadBytes, cancel_);
    stream_ = &stream;
    const bool ok = callback(stream);
    stream_ = nullptr;
    timed_out_ = stream.timed_out();
    cancelled_ = stream.cancelled();
    head_too_long_ = stream.head_too_long();
    left_over_ = stream.left_over();
    return ok;
  }

  Address address_;
  int cancel_;
  steady_clock::time_point end_{};
  HttpStream* stream_ = nullptr;
  bool connected_ = false, timed_out_ = false, cancelled_ = false, head_too_long_ = false;
  std::size_t left_over_ = 0;
};

// The one Content-Length of a response, if it has one and nothing that overrides it.
std::optional<std::uint64_t> content_length(const httplib::Response& response) {
  if (response.get_header_value_count("Content-Length") != 1 ||
      response.has_header("Transfer-Encoding") || response.has_header("Content-Encoding")) {
    return std::nullopt;
  }
  const std::string text = response.get_header_value("Content-Length");
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// Cuts a body into blocks and checks each against the name it was asked by.
class BlockReader {
 public:
  using Sink = std::function<void(const zar::Digest&, std::span<const std::byte>)>;
  BlockReader(std::span<const zar::Digest> wanted, std::uint32_t block_size, const Sink& sink)
      : wanted_(wanted), sink_(sink), block_(block_size) {}

  void take(std::span<const std::byte> piece) {
    while (!piece.empty()) {
      const std::size_t n = std::min(piece.size(), block_.size() - filled_);
      std::memcpy(block_.data() + filled_, piece.data(), n);
      filled_ += n;
      piece = piece.subspan(n);
      if (filled_ == block_.size()) finish_block();
    }
  }

 private:
  void finish_block() {
    const zar::Digest& name = wanted_[next_];
    if (zar::sha256(block_) != name) {
      throw RunError("block " + std::to_string(next_) + " of the reply is not " +
                     zar::to_hex(name) + ": the origin lies or the transfer was damaged");
    }
    sink_(name, block_);
    filled_ = 0;
    ++next_;
  }

  std::span<const zar::Digest> wanted_;
  const Sink& sink_;
  std::vector<std::byte> block_;
  std::size_t filled_ = 0, next_ = 0;
};

}  // namespace

struct Client::Impl {
  std::string url;
  milliseconds deadline;
  HttpClient http;
  std::uint64_t bytes = 0, requests = 0;

  Impl(const std::string& base_url, milliseconds limit, int cancel)
      : url(base_url), deadline(limit), http(parse_url(base_url), cancel) {}

  using Take = std::function<void(std::span<const std::byte>)>;
  // Sends `request`; `accept(length)` says whether a body of that length is right; `take` gets it
  // in pieces.
  void exchange(httplib::Request request, const std::function<bool(std::uint64_t)>& accept,
                const Take& take);
  std::vector<std::byte> get(const std::string& path, std::size_t limit);
  std::string why_it_failed() const;
};

std::string Client::Impl::why_it_failed() const {
  if (http.cancelled()) return "cancelled";
  if (http.timed_out()) {
    return "no complete answer within " + std::to_string(deadline.count()) + " ms";
  }
  if (!http.connected()) return "cannot connect; is the origin running?";
  if (http.head_too_long()) {
    return "the head of the answer is longer than " + std::to_string(kMaxHeadBytes) + " bytes";
  }
  return "the connection was lost before the answer was complete";
}

void Client::Impl::exchange(httplib::Request request,
                            const std::function<bool(std::uint64_t)>& accept, const Take& take) {
  const std::string what = "origin " + url + ": " + request.method + " " + request.path + ": ";
  std::string refusal, error_text;
  std::exception_ptr thrown;  // the library's frames in between are not made for exceptions
  int status = 0;
  std::uint64_t expected = 0, received = 0;
  request.response_handler = [&](const httplib::Response& response) {
    http.head_done();
    status = response.status;
    const auto length = content_length(response);
    if (status != 200) return length && *length <= kMaxErrorText;
    if (!length) {
      refusal = "the answer has no plain Content-Length";
    } else if (!accept(*length)) {
      refusal = "an answer of " + std::to_string(*length) + " bytes is not of the expected length";
    }
    expected = length.value_or(0);
    return refusal.empty();
  };
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    if (status != 200) {
      error_text.append(data, size);
      return true;
    }
    received += size;
    bytes += size;
    try {
      take({reinterpret_cast<const std::byte*>(data), size});
    } catch (...) {
      thrown = std::current_exception();
    }
    return thrown == nullptr;
  };

  ++requests;
  http.start(steady_clock::now() + deadline);
  httplib::Response response;
  httplib::Error error = httplib::Error::Success;
  const bool ok = http.send(request, response, error);
  if (thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const RunError& e) {
      throw RunError(what + e.what());
    }
  }
  if (!refusal.empty()) throw RunError(what + refusal);
  if (status == 0 || (status == 200 && !ok)) throw RunError(what + why_it_failed());
  if (status != 200) {
    throw RunError(what + "status " + std::to_string(status) + " " + one_line(error_text));
  }
  if (received != expected || http.left_over() != 0) {
    http.stop();
    throw RunError(what + "the answer is not of the length that it announced");
  }
}

std::vector<std::byte> Client::Impl::get(const std::string& path, std::size_t limit) {
  httplib::Request request;
  request.method = "GET";
  request.path = path;
  std::vector<std::byte> body;
  exchange(
      std::move(request),
      [&](std::uint64_t length) {
        if (length > limit) return false;
        body.reserve(length);
        return true;
      },
      [&](std::span<const std::byte> piece) {
        body.insert(body.end(), piece.begin(), piece.end());
      });
  return body;
}

Client::Client(const std::string& base_url, milliseconds deadline, int cancel)
    : impl_(std::make_unique<Impl>(base_url, deadline, cancel)) {}
Client::~Client() = default;

std::vector<std::byte> Client::get_boot_block(const std::string& application) {
  return impl_->get("/v1/boot/" + percent_encoded(application), kMaxBootBlockBytes);
}

std::vector<std::byte> Client::get_recipe(const zar::Digest& image) {
  return impl_->get("/v1/recipe/" + zar::to_hex(image), kMaxRecipeBytes);
}

void Client::get_blocks(
    const zar::Digest& image, std::span<const zar::Digest> wanted, std::uint32_t block_size,
    const std::function<void(const zar::Digest&, std::span<const std::byte>)>& sink) {
  if (wanted.empty()) return;
  if (wanted.size() > kMaxBlocksPerRequest || block_size == 0) {
    throw InputError("origin: at most " + std::to_string(kMaxBlocksPerRequest) +
                     " blocks a request; ask for fewer");
  }
  httplib::Request request;
  request.method = "POST";
  request.path = "/v1/blocks/" + zar::to_hex(image);
  request.set_header("Content-Type", "application/octet-stream");
  request.body.resize(wanted.size_bytes());
  std::memcpy(request.body.data(), wanted.data(), wanted.size_bytes());
  BlockReader reader(wanted, block_size, sink);
  const std::uint64_t expected = std::uint64_t{block_size} * wanted.size();
  impl_->exchange(
      std::move(request), [&](std::uint64_t length) { return length == expected; },
      [&](std::span<const std::byte> piece) { reader.take(piece); });
}

std::uint64_t Client::bytes_received() const { return impl_->bytes; }
std::uint64_t Client::requests() const { return impl_->requests; }

}  // namespace missive::origin
