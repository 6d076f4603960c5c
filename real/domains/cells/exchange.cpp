#include "real/domains/cells/exchange.h"

#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "real/domains/host_service.h"
#include "real/domains/message.h"

namespace missive::domains {

namespace {

// What serialising adds to a record of 64 bytes is less than a quarter of it.
DomainOptions options_for(std::size_t size, DomainOptions o, int socket) {
  o.max_message = size + size / 4 + 128;
  o.shared_bytes = size;
  o.descriptor_socket = socket;
  return o;
}

// A memory file that was written through a mapping, and can never be written again.
UniqueFd sealed_file(std::size_t size, unsigned char value) {
  UniqueFd file(::memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
    throw_errno("a memory file for a message");
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (at == MAP_FAILED) throw_errno("mapping a memory file for a message");
  std::memset(at, value, size);
  ::munmap(at, size);
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
      0)
    throw_errno("sealing a message");
  return file;
}

}  // namespace

const char* name_of(Way way) {
  switch (way) {
    case Way::local:
      return "local";
    case Way::copy:
      return "copy";
    case Way::marshalled:
      return "marshalled";
    case Way::sealed:
      return "sealed";
    case Way::shared:
      return "shared";
    case Way::pointer:
      return "pointer";
  }
  return "?";
}

Exchange::Exchange(const Mechanism& mechanism, std::size_t size, DomainOptions domain)
    : mechanism_(mechanism), private_(size), copied_(mechanism.by_pointer ? size : 0) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno("sockets for descriptors");
  descriptors_.reset(ends[0]);
  descriptors_of_service_.reset(ends[1]);
  domain_ = mechanism.create(options_for(size, domain, ends[1]));
}

Exchange::~Exchange() = default;

std::vector<Way> Exchange::ways() {
  std::vector<Way> ways{Way::local, Way::copy};
  if (private_.size() % sizeof(FlatRecord) == 0 && !refused(Way::marshalled))
    ways.push_back(Way::marshalled);
  if (!refused(Way::sealed)) ways.push_back(Way::sealed);
  if (domain_->shared().size() >= private_.size()) ways.push_back(Way::shared);
  if (mechanism_.by_pointer) ways.push_back(Way::pointer);
  return ways;
}

bool Exchange::refused(Way way) {
  try {
    run(way);
    return false;
  } catch (const InputError&) {
    // A refusal, as of an unknown entry. What was sent and not fetched would be in the next one's
    // place.
    char byte = 0;
    while (::recv(descriptors_of_service_.get(), &byte, 1, MSG_DONTWAIT) > 0) {
    }
    return true;
  }
}

void Exchange::run(Way way) {
  std::uint64_t expected = 0;
  const std::uint64_t sum = send(way, expected);
  if (sum != expected)
    throw RunError(mechanism_.name + ": a message of " + std::to_string(private_.size()) +
                   " bytes (" + name_of(way) + ") adds up to " + std::to_string(sum) +
                   " instead of " + std::to_string(expected));
}

// Every byte gets the same value, another one each time; seven bits, so that it is text, too.
std::uint64_t Exchange::write(std::span<std::byte> to) {
  value_ = static_cast<unsigned char>((value_ + 1) & 0x7fU);
  std::memset(to.data(), value_, to.size());
  return static_cast<std::uint64_t>(value_) * to.size();
}

std::uint64_t Exchange::call(Entry entry, std::span<const std::byte> request) {
  std::uint64_t sum = 0;
  domain_->call(entry, request, std::as_writable_bytes(std::span(&sum, 1)));
  return sum;
}

std::uint64_t Exchange::send(Way way, std::uint64_t& expected) {
  if (way == Way::sealed) return send_sealed(expected);
  const std::span<std::byte> place =
      way == Way::shared ? domain_->shared().first(private_.size()) : std::span(private_);
  expected = write(place);
  switch (way) {
    case Way::local: {
      std::uint64_t sum = 0;
      missive_service(static_cast<std::int32_t>(Entry::sum),
                      as_bytes(std::span<const std::byte>(place)), place.size(),
                      reinterpret_cast<std::uint8_t*>(&sum), sizeof sum);
      return sum;
    }
    case Way::marshalled:
      return call(Entry::marshalled_sum, marshaller_.encode(place));
    case Way::copy:
      if (copied_.empty()) return call(Entry::sum, place);  // the mechanism copies
      std::memcpy(copied_.data(), place.data(), place.size());
      return call(Entry::sum, copied_);
    default:
      return call(Entry::sum, place);
  }
}

// A service of this process takes the descriptor by its number, another one through the socket.
std::uint64_t Exchange::send_sealed(std::uint64_t& expected) {
  value_ = static_cast<unsigned char>((value_ + 1) & 0x7fU);
  const UniqueFd file = sealed_file(private_.size(), value_);
  expected = static_cast<std::uint64_t>(value_) * private_.size();
  SealedMessage message{-1, -1, private_.size()};
  if (mechanism_.same_process) {
    message.descriptor = file.get();
  } else {
    message.socket = descriptors_of_service_.get();
    send_descriptor(descriptors_.get(), file.get());
  }
  return call(Entry::sealed_sum, std::as_bytes(std::span(&message, 1)));
}

}  // namespace missive::domains
