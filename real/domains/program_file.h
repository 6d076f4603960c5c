#pragma once
// The service's program as a file that can be executed without a path.

namespace missive::domains {

// A sealed memory file, one for the whole process, open as long as it runs; close-on-exec. Throws
// RunError.
int service_program_fd();

}  // namespace missive::domains
