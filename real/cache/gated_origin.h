#pragma once
// An origin for tests that answers many connections at once, and none about an image that is held
// until it is let go. Header-only; not used outside tests.

#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "real/origin/scripted_server.h"
#include "real/origin/test_image.h"

namespace missive::cache {

class GatedOrigin {
 public:
  // Served once start() was called; a cache's process must be forked before (child_process.h).
  explicit GatedOrigin(const std::vector<origin::TestImage>& images)
      : server_([this](const std::string& head,
                       const origin::ScriptedServer::Connection& peer) { answer(head, peer); },
                origin::ScriptedServer::Start::later, origin::ScriptedServer::Peers::at_once) {
    for (const origin::TestImage& image : images) {
      recipes_[zar::to_hex(image.name())] = as_text(image.recipe().serialize());
      for (std::size_t i = 0; i < image.recipe().leaves.size(); ++i)
        blocks_[image.recipe().leaves[i]] = as_text(image.block(i));
    }
  }
  std::string url() const { return server_.url(); }
  void start() { server_.start(); }

  // The answers to what is asked about this image from now on, after the first `answered`, wait for
  // let_go().
  void hold(const origin::TestImage& image, int answered = 0) {
    const std::lock_guard lock(mutex_);
    held_[zar::to_hex(image.name())] = answered;
  }
  void let_go(const origin::TestImage& image) {
    const std::lock_guard lock(mutex_);
    held_.erase(zar::to_hex(image.name()));
    changed_.notify_all();
  }
  // What is asked about this image is answered with status 500.
  void refuse(const origin::TestImage& image) {
    const std::lock_guard lock(mutex_);
    refused_.insert(zar::to_hex(image.name()));
  }
  void refuse_no_more() {
    const std::lock_guard lock(mutex_);
    refused_.clear();
  }
  int requests(const origin::TestImage& image) const {
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(zar::to_hex(image.name()));
    return found == requests_.end() ? 0 : found->second;
  }
  void await_requests(const origin::TestImage& image, int count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      const auto found = requests_.find(zar::to_hex(image.name()));
      return found != requests_.end() && found->second >= count;
    });
  }

 private:
  template <typename Range>
  static std::string as_text(const Range& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  // The 64 digits that end the request's path.
  static std::string image_in(const std::string& head) {
    const std::size_t end = head.find(" HTTP/");
    return end == std::string::npos || end < 64 ? "" : head.substr(end - 64, 64);
  }
  void answer(const std::string& head, const origin::ScriptedServer::Connection& peer) {
    const std::string image = image_in(head);
    bool refused = false;
    {
      std::unique_lock lock(mutex_);
      requests_[image] += 1;
      changed_.notify_all();
      const auto held = held_.find(image);
      if (held != held_.end() && held->second-- <= 0) {
        // A look now and then at whether the test has ended.
        while (held_.contains(image) && !peer.stopping())
          changed_.wait_for(lock, std::chrono::milliseconds(20));
      }
      refused = refused_.contains(image);
    }
    if (refused || !recipes_.contains(image)) {
      peer.send("HTTP/1.1 500 no\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    } else if (head.starts_with("GET /v1/recipe/")) {
      peer.send_with_length(recipes_.at(image));
    } else {
      peer.send_with_length(blocks_for(peer.body()));
    }
  }
  std::string blocks_for(const std::string& names) const {
    std::string all;
    for (std::size_t i = 0; i + 32 <= names.size(); i += 32) {
      zar::Digest name;
      std::memcpy(name.bytes.data(), names.data() + i, 32);
      all += blocks_.at(name);
    }
    return all;
  }

  std::map<std::string, std::string> recipes_;
  std::unordered_map<zar::Digest, std::string> blocks_;
  mutable std::mutex mutex_;  // guards the three below
  mutable std::condition_variable changed_;
  std::map<std::string, int> held_, requests_;
  std::set<std::string> refused_;
  origin::ScriptedServer server_;  // last: its threads use all above
};

}  // namespace missive::cache
