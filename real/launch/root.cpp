// ensure_root(): the application's root directory, built once.

#include "real/data_dir.h"
#include "real/launch/application.h"
#include "real/made_once.h"

namespace missive::launch {

namespace fs = std::filesystem;

fs::path ensure_root(const Application& application, void (*progress)(const std::string&)) {
  MadeOnce wanted;
  wanted.what = "root of " + application.name;
  wanted.directory = home() / "roots" / application.name;
  wanted.how = "building it with mmdebstrap (once; downloads are kept in " +
               (home() / "debs").string() + ")";
  wanted.command = {(data_dir() / "scripts" / "app-root").string()};
  wanted.rest = {(home() / "debs").string()};
  wanted.rest.insert(wanted.rest.end(), application.packages.begin(), application.packages.end());
  return made_once(wanted, progress);
}

}  // namespace missive::launch
