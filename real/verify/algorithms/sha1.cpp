// SHA-1, what Missive verified with in 2014. For comparison only: a launch cannot select it.

#include "real/verify/algorithms/openssl_digest.h"

namespace missive::verify {

Algorithm sha1_algorithm() {
  Algorithm a;
  a.name = "sha1";
  a.library = "OpenSSL";
  a.family = Family::hash;
  a.standing = Standing::broken;
  a.digest_bytes = 20;
  a.guarantee = "none: collisions are practical (2017), with chosen prefixes too (2020)";
  a.vectors = "FIPS 180-4 examples";
  a.unavailable = [] { return openssl_digest_unavailable("SHA1"); };
  a.make = [](const EngineKey&) { return openssl_digest("SHA1", 20); };
  return a;
}

}  // namespace missive::verify
