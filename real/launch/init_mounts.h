#pragma once
// The mounts of a picoprocess, made by its init from the inside. Internal to picoprocess_init.cpp,
// and bound by its rule: no allocation, no lock, no exception. On failure errno says why.

#include "real/launch/picoprocess_init.h"

namespace missive::launch {

// Everything that can be done before the image is there. Afterwards "/" is a private tmpfs with an
// empty directory "root", and nothing of the host's file system is reachable.
Step prepare_mounts(const Init& init);

// Puts the delivered root into place with the private mounts in it and makes it "/". `display` is
// the mount of the display's socket, or -1.
Step place_root(int root, int display, const char* display_name);

}  // namespace missive::launch
