#include "real/verify/verification_mode.h"

#include "models/error.h"
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
  std::vector<std::string> known;
  for (const VerificationMode& each : verification_modes()) {
    if (each.name == name) return each;
    known.push_back(each.name);
  }
  throw InputError("no mode of verification \"" + name + "\"" + did_you_mean(name, known) +
                   "; there are eager and lazy");
}

}  // namespace missive::verify
