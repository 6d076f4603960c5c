// SHA-256, one message at a time (SHA-NI where the processor has it).

#include "real/verify/algorithms/openssl_digest.h"

namespace missive::verify {

Algorithm sha256_algorithm() {
  Algorithm a;
  a.name = "sha256";
  a.library = "OpenSSL";
  a.family = Family::hash;
  a.standing = Standing::sound;
  a.digest_bytes = 32;
  a.guarantee = "collision resistant, 128 bits";
  a.vectors = "FIPS 180-4 examples";
  a.unavailable = [] { return openssl_digest_unavailable("SHA2-256"); };
  a.make = [](const EngineKey&) { return openssl_digest("SHA2-256", 32); };
  return a;
}

}  // namespace missive::verify
