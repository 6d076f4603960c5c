#pragma once
// The mounts of a picoprocess, made by its init from the inside. On failure last_error() says why.

#include "real/launch/init_protocol.h"

namespace missive::launch::init {

// Everything that can be done before the image is there. Afterwards "/" is a private tmpfs with an
// empty directory "root", and nothing of the host's file system is reachable. With `full` also the
// loopback and the host name. Clears `maps_user` when the application's user does not exist in this
// user namespace.
Step prepare_mounts(bool full, bool& maps_user);

// Puts the delivered root into place with the private mounts in it and makes it "/". `display` is
// the mount of the display's socket, or -1.
Step place_root(int root, int display, const char* display_name);

}  // namespace missive::launch::init
