#include "real/verify/verification_mode.h"

#include "models/nearest.h"

namespace missive::verify {

const std::vector<VerificationMode>& verification_modes() {
  static const std::vector<VerificationMode> all = {
      {"eager", "the whole image is verified before anything of it is used", false},
      {"lazy", "a block is verified when it is first needed, the rest behind the application",
       true},
  };
  return all;
}

const VerificationMode& verification_mode(const std::string& name) {
  return named(verification_modes(), name, "mode of verification");
}

}  // namespace missive::verify
