// zar pack and zar unpack: an image in its compressed transport form, and back.

#include <memory>

#include <fmt/format.h>

#include "harness/zar/zar_verb.h"
#include "real/zar/parallel.h"
#include "real/zar/transport.h"

namespace missive::harness {

namespace {

struct PackCommand {
  std::string from, to, codec = "zstd", name;
  int level = 0;
};

void print(const zar::TransportReport& r, Terminal& terminal) {
  terminal.out << fmt::format("name {}\nlength {}\nunits {}\nzero_units {}\nraw_units {}\n",
                              zar::to_hex(r.name), r.length, r.units, r.zero_units, r.raw_units);
}

ExitStatus pack(const PackCommand& command, Terminal& terminal) {
  const OpenImage open(command.from);
  print(zar::pack(open.image, zar::choose(zar::codecs(), "codec", command.codec), command.level,
                  zar::thread_count(0), command.to),
        terminal);
  return ExitStatus::ok;
}

ExitStatus unpack(const PackCommand& command, Terminal& terminal) {
  const Mapping mapping = map_file(command.from);
  print(zar::unpack(mapping.bytes(), command.from, zar::thread_count(0), command.to), terminal);
  return ExitStatus::ok;
}

}  // namespace

void add_zar_pack(Verb& zar) {
  Verb& verb = zar.add("pack", "compress an image, unit by unit, for transport");
  auto command = std::make_shared<PackCommand>();
  verb.option("IMAGE", command->from, "image file", {.required = true});
  verb.option("FILE", command->to, "file to write", {.required = true});
  std::string help = "compression:";
  for (const auto* c : zar::codecs()) help += fmt::format("\n  {:10} {}", c->name, c->what);
  verb.option("--codec", command->codec, help, {.default_text = "zstd"});
  verb.option("--level", command->level, "0: the codec's own default",
              {.between = {{0, 19}}, .default_text = "0"});
  verb.action = [command](Terminal& terminal) { return pack(*command, terminal); };

  Verb& unpacking =
      zar.add("unpack", "make the image again, every unit checked against the recipe");
  auto back = std::make_shared<PackCommand>();
  unpacking.option("FILE", back->from, "what zar pack wrote", {.required = true});
  unpacking.option("IMAGE", back->to, "file to write", {.required = true});
  unpacking.action = [back](Terminal& terminal) { return unpack(*back, terminal); };
}

}  // namespace missive::harness
