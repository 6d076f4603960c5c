#include "models/error.h"
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
  std::vector<std::string> known;
  for (const VerifierInfo& each : verifiers()) {
    if (each.name == name) return each;
    known.push_back(each.name);
  }
  throw InputError("no verifier \"" + name + "\"" + did_you_mean(name, known) +
                   "; there are sha256 and mac");
}

}  // namespace missive::verify
