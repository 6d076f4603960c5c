#include "real/launch/init_protocol.h"

namespace missive::launch {

const char* describe(Step step) {
  switch (step) {
    case Step::none:
      return "nothing";
    case Step::program:
      return "starting the program of its init";
    case Step::prepare:
      return "receiving what it needs";
    case Step::namespaces:
      return "making its namespaces";
    case Step::make_private:
      return "making its mounts private";
    case Step::new_root:
      return "mounting its first root";
    case Step::scratch:
      return "mounting its private tmpfs";
    case Step::devices:
      return "making its devices";
    case Step::process_list:
      return "mounting its /proc";
    case Step::leave_host:
      return "leaving the host's file system";
    case Step::loopback:
      return "bringing its loopback up";
    case Step::receive:
      return "receiving the start message";
    case Step::place_root:
      return "placing the delivered root";
    case Step::place_scratch:
      return "placing private mounts (the image needs /proc /dev /tmp /run /home /var/tmp)";
    case Step::display:
      return "binding the display's socket";
    case Step::enter_root:
      return "entering the delivered root";
    case Step::fork:
      return "making the application's process";
    case Step::privileges:
      return "dropping privileges";
    case Step::filter:
      return "installing the seccomp filter";
    case Step::exec:
      return "exec";
    case Step::map_program:
      return "mapping the program";
    case Step::watch_memory:
      return "watching its memory (userfaultfd)";
  }
  return "an unknown step";
}

}  // namespace missive::launch
