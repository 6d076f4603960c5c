// The verb `doctor`: what this host can run, and why not.

#include <memory>

#include "harness/context.h"
#include "harness/launch_run.h"
#include "harness/table.h"
#include "harness/verb_list.h"
#include "real/process.h"

namespace missive::harness {
namespace {

ExitStatus print_doctor(bool json, Terminal& terminal) {
  install_interrupt_handler();
  const auto entries = doctor_entries();
  if (json) {
    Json list = Json::array();
    for (const DoctorEntry& entry : entries)
      list.push_back(Json{{"group", entry.group},
                          {"name", entry.name},
                          {"available", entry.available},
                          {"detail", entry.detail}});
    Json context = host_context();
    context["mechanisms"] = mechanisms(entries);
    terminal.out << Json{{"context", context}, {"entries", list}}.dump(
                        2, ' ', false, Json::error_handler_t::replace)
                 << '\n';
    return ExitStatus::ok;
  }
  Table table({"what", "name", "here", "detail"});
  table.align_left(4);
  for (const DoctorEntry& entry : entries)
    table.add({entry.group, entry.name, entry.available ? "yes" : "NO", entry.detail});
  terminal.out << table.text();
  return ExitStatus::ok;
}

}  // namespace

void add_doctor_verb(Verb& program) {
  Verb& verb = program.add("doctor", "what this host can run, and why not");
  auto json = std::make_shared<bool>(false);
  verb.option("--json", *json, "as JSON");
  verb.action = [json](Terminal& terminal) { return print_doctor(*json, terminal); };
}

}  // namespace missive::harness
