#include "models/nearest.h"
#include "real/verify/verifier.h"

namespace missive::verify {

const std::vector<VerifierInfo>& verifiers() {
  static const std::vector<VerifierInfo> list = {
      {"sha256", "SHA-256 Merkle tree over all blocks, as signed by the vendor", false},
      {"mac", "AES-128-GMAC under a key of this host, made after a first tree verification", true},
  };
  return list;
}

const VerifierInfo& verifier(const std::string& name) {
  return named(verifiers(), name, "verifier");
}

}  // namespace missive::verify
