#pragma once
// The socket under cpp-httplib, with the two bounds that library lacks: time for a whole message
// and bytes for its head.
//
// The library limits each single read by time, so a peer that sends one byte now and then holds it
// forever; and it reads a line of any length, which it then matches with std::regex, whose
// recursion overflows the stack on a long one. Both are within reach of an untrusted peer.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include <httplib.h>

namespace missive::origin {

class HttpStream final : public httplib::Stream {
 public:
  // Borrows `socket`. Reads and writes fail once `end` has passed or nothing has moved for `pause`,
  // and reads fail after `head_limit` bytes unless head_done() was called before. Whoever waits for
  // the peer is woken, and fails, once `cancel` (any pollable descriptor; -1: none) is readable.
  HttpStream(int socket, std::chrono::steady_clock::time_point end, std::chrono::milliseconds pause,
             std::size_t head_limit, int cancel = -1);

  void head_done() { in_head_ = false; }
  bool head_too_long() const { return in_head_ && head_left_ == 0; }
  bool timed_out() const { return timed_out_; }
  bool cancelled() const { return cancelled_; }
  // Bytes that came but were never asked for.
  std::size_t left_over() const { return filled_ - used_; }

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* to, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  bool wait_for(short events) const;
  ssize_t refill();

  int socket_;
  std::chrono::steady_clock::time_point end_;
  std::chrono::milliseconds pause_;
  std::size_t head_left_;
  int cancel_;
  bool in_head_ = true;
  mutable bool timed_out_ = false, cancelled_ = false;
  std::unique_ptr<char[]> buffer_;
  std::size_t used_ = 0, filled_ = 0;
};

}  // namespace missive::origin
