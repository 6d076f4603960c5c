// zar verify: an image's name, computed from its bytes.

#include <memory>

#include <fmt/format.h>

#include "harness/zar/zar_verb.h"
#include "real/zar/parallel.h"

namespace missive::harness {

namespace {

// `name`: what it must be, 64 hexadecimal digits; "" prints the name it has.
ExitStatus verify(const std::string& file, const std::string& name, Terminal& terminal) {
  const OpenImage open(file);
  const zar::Digest found = zar::make_recipe(open.image, zar::thread_count(0)).name();
  if (!name.empty() && found != zar::digest_from_hex(name))
    throw RunError(fmt::format("{}: its name is {}, not {}; it was changed or is another image",
                               file, zar::to_hex(found), name));
  terminal.out << zar::to_hex(found) << '\n';
  return ExitStatus::ok;
}

}  // namespace

void add_zar_verify(Verb& zar) {
  Verb& verb = zar.add("verify", "hash an image and print or check its name");
  auto image = std::make_shared<std::string>(), name = std::make_shared<std::string>();
  verb.option("IMAGE", *image, "image file", {.required = true});
  verb.option("NAME", *name, "what its name must be, 64 hexadecimal digits");
  verb.action = [image, name](Terminal& terminal) { return verify(*image, *name, terminal); };
}

}  // namespace missive::harness
