// What this host can and cannot do, as `missive-sim doctor` says it.

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "harness/isolation_run.h"
#include "harness/launch_calibrate.h"
#include "harness/launch_run.h"
#include "real/idle_states.h"
#include "real/launch/application.h"
#include "real/launch/delivery.h"
#include "real/launch/picoprocess.h"
#include "real/launch/reader.h"
#include "real/verify/verification_mode.h"
#include "real/verify/verifier.h"

namespace missive::harness {

namespace fs = std::filesystem;

namespace {

bool on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string all = path ? path : "/usr/bin:/bin";
  for (std::size_t at = 0; at <= all.size();) {
    const std::size_t end = std::min(all.find(':', at), all.size());
    if (::access((all.substr(at, end - at) + "/" + program).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

DoctorEntry entry(const std::string& group, const std::string& name, const std::string& why_not,
                  const std::string& what) {
  return {group, name, why_not.empty(), why_not.empty() ? what : why_not};
}

std::string missing_program(const std::string& program, const std::string& package) {
  return on_path(program) ? ""
                          : program + " is not installed; install the Debian package " + package +
                                " (make setup)";
}

}  // namespace

std::vector<DoctorEntry> doctor_entries() {
  std::vector<DoctorEntry> all;
  const std::string no_picoprocess = launch::picoprocess_unavailable();
  all.push_back(
      entry("host", "picoprocess", no_picoprocess,
            "namespaces and mounts, as " + std::string(::geteuid() == 0 ? "root" : "this user")));
  all.push_back(entry("host", "awake processors", keep_processors_awake().unavailable,
                      "idle states can be kept off while launches are measured"));
  all.push_back(entry("host", "display", missing_program("Xvfb", "xvfb"),
                      "private Xvfb for applications with a window"));
  all.push_back(entry("host", "application roots", missing_program("mmdebstrap", "mmdebstrap"),
                      "mmdebstrap makes them"));
  const fs::path parameters = host_parameters_file();
  std::error_code ignored;
  all.push_back(entry("host", "calibration",
                      fs::exists(parameters, ignored)
                          ? ""
                          : "not done yet; the first experiment does it, or: missive-sim calibrate",
                      "parameters of this host are there"));
  for (const auto& v : verify::verifiers()) all.push_back(entry("verifier", v.name, "", v.what));
  for (const auto& m : verify::verification_modes())
    all.push_back(entry("verification", m.name, "", m.what));
  for (const auto& d : launch::deliveries()) {
    all.push_back(entry("delivery", d.name, d.unavailable(), d.what));
    if (d.lazily_unavailable != nullptr)
      all.push_back(entry("delivery", d.name + ", lazily", d.unavailable_for(true),
                          "its blocks are verified when they are touched"));
  }
  for (const auto& a : launch::applications()) {
    const bool there = fs::exists(launch::home() / "roots" / a.name, ignored);
    const std::string need =
        a.ready == launch::ReadyMark::first_window ? missing_program("Xvfb", "xvfb") : "";
    const std::string fetch = there ? "" : missing_program("mmdebstrap", "mmdebstrap");
    all.push_back(
        entry("application", a.name, need.empty() ? fetch : need,
              a.what + (there ? "; its root is there" : "; its root is made on first use")));
  }
  all.push_back(entry("application", launch::kReader, "",
                      "synthetic: touches a share of an image of any size, then is ready"));
  for (DoctorEntry& isolation : isolation_doctor_entries()) all.push_back(std::move(isolation));
  return all;
}

}  // namespace missive::harness
