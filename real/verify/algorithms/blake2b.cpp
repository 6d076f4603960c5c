// BLAKE2b with 64 bytes of digest.

#include "real/verify/algorithms/openssl_digest.h"

namespace missive::verify {

Algorithm blake2b_algorithm() {
  Algorithm a;
  a.name = "blake2b";
  a.library = "OpenSSL";
  a.family = Family::hash;
  a.standing = Standing::sound;
  a.digest_bytes = 64;
  a.guarantee = "collision resistant, 256 bits";
  a.vectors = "RFC 7693, appendix A";
  a.unavailable = [] { return openssl_digest_unavailable("BLAKE2B-512"); };
  a.make = [](const EngineKey&) { return openssl_digest("BLAKE2B-512", 64); };
  return a;
}

}  // namespace missive::verify
