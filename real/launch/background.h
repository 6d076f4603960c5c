#pragma once
// What lazy verification leaves to be done behind a starting application, on a thread of its own:
// first the launch runs, in the order in which the recorded start needed them, each verified and
// put into the page cache; then, once the application is ready, every block that nobody has asked
// for yet. Not before: reading the rest of the image would push out of the processor's last cache
// what the start is working on.
//
// The application is ended the moment a block is refused, whoever finds it (this thread or the file
// server): one whose library lacks a page is no longer the vendor's.

#include <cstdint>
#include <semaphore>
#include <string>
#include <thread>

#include "real/launch/delivery.h"
#include "real/verify/block_verifier.h"

namespace missive::launch {

class Background {
 public:
  // Begins at once. `pidfd` is the picoprocess's init; it and all else must outlive this.
  Background(Delivery& delivery, verify::BlockVerifier& blocks, std::uint64_t image_bytes,
             int pidfd);
  // Stops where it is.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // The application is ready: verifies the rest, and waits until everything is done. Throws
  // RunError: a block was refused, or putting ahead failed.
  void finish();

  // From and to of each part, measure::now_ns(), once finish() has returned.
  struct Span {
    std::int64_t from = 0, to = 0;
  };
  const Span& ahead() const { return ahead_; }
  const Span& rest() const { return rest_; }
  std::uint64_t delivered() const { return delivered_; }  // bytes put ahead

 private:
  void run(const std::stop_token& stop);

  Delivery& delivery_;
  verify::BlockVerifier& blocks_;
  const std::uint64_t image_bytes_;
  Span ahead_, rest_;
  std::uint64_t delivered_ = 0;
  std::string failure_;
  std::counting_semaphore<2> go_on_{0};
  std::jthread thread_;
};

}  // namespace missive::launch
