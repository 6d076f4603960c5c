#pragma once
// Debian packages with their closure, fetched through apt.

#include <filesystem>
#include <string>
#include <vector>

namespace missive::zar {

// Fetches what is missing into `directory`, which keeps it, and gives the .deb files of the
// closure. `script` is scripts/fetch-packages. Throws NotAvailable (no apt, no network, no such
// package) or RunError.
std::vector<std::filesystem::path> fetch_packages(const std::filesystem::path& script,
                                                  const std::filesystem::path& directory,
                                                  const std::vector<std::string>& packages);

}  // namespace missive::zar
