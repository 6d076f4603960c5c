#pragma once
// One piece of work for all who ask for it while it is under way: the first does it, the others
// wait for its end. Who stops waiting for an answer does not matter to it.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "real/zar/digest.h"

namespace missive::cache {

class SingleFlight {
 public:
  // Does the work and returns true; or, while another does the work of this key, waits until that
  // is done and returns false. What the work throws is thrown here, to those who waited as a
  // RunError of the same text. Who comes later starts anew.
  bool run(const zar::Digest& key, const std::function<void()>& work);
  // How many wait for what others do.
  std::uint64_t waiting() const;

 private:
  struct Flight {
    bool landed = false, failed = false;
    std::string why;
  };
  void land(const zar::Digest& key, Flight& flight);

  mutable std::mutex mutex_;  // guards all below, and every Flight
  std::condition_variable landed_;
  std::unordered_map<zar::Digest, std::shared_ptr<Flight>> flights_;
  std::uint64_t waiting_ = 0;
};

}  // namespace missive::cache
