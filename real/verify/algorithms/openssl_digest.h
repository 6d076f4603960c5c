#pragma once
// A digest of OpenSSL as an engine.

#include <string>

#include "real/verify/algorithm.h"

namespace missive::verify {

// `name` as EVP_MD_fetch(3) knows it. Throws RunError when OpenSSL does not offer it.
std::unique_ptr<Engine> openssl_digest(const char* name, std::size_t digest_bytes);
// Why OpenSSL does not offer it; empty when it does.
std::string openssl_digest_unavailable(const char* name);

}  // namespace missive::verify
