#pragma once
// Delivery: how the files of a verified image come to be files of a picoprocess. All methods give
// a detached, read-only mount that Picoprocess::start() moves into place. Adding one: its own file
// and one line in delivery.cpp.

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "real/fd.h"
#include "real/launch/mapped_program.h"
#include "real/verify/block_verifier.h"
#include "real/zar/image.h"

namespace missive::launch {

struct Environment;  // picoprocess.h

// Exact, and known from the image alone.
struct Delivered {
  // Regular files the application can open: those of the image. mmap: 1, the program it is.
  std::uint64_t files = 0;
  // extract: content of all files, copied; fuse and erofs: launch_run_bytes(image)
  // (launch_runs.h), the bytes of launch runs put into the page cache (erofs: asked for,
  // on a thread beside the start). mmap: 0, nothing is copied.
  std::uint64_t bytes = 0;
};

// Requests a FUSE server answered, by kind; zero for other methods. Not compared exactly: the
// application decides.
struct Served {
  std::uint64_t lookups = 0, reads = 0, bytes_read = 0, others = 0;
};

class Delivery {
 public:
  // Unmounts, ends the server. End the picoprocess first: its files go with the server.
  virtual ~Delivery() = default;
  // Returns the detached mount. `image` must outlive the Delivery. Once only.
  virtual UniqueFd deliver(const zar::Image& image, Delivered* delivered) = 0;
  virtual Served served() const { return {}; }
  // After deliver(), for methods that give a program and no files (DeliveryInfo::program_only):
  // what Picoprocess::start() needs beside the mount. Null for all others. Throws InputError when
  // the image's program cannot be started so: one line, with what to take instead.
  virtual const MappedProgram* program(const Environment& environment);

  // Lazily, for methods that can (DeliveryInfo::lazy): as deliver(), but nothing is put ahead yet,
  // and of the content no byte is shown before `blocks` has accepted it; whoever reads a block that
  // is refused gets EIO (mmap: waits for his end, the picoprocess is killed). `blocks` must outlive
  // the Delivery, and has accepted what Image::open() read.
  virtual UniqueFd deliver_lazily(const zar::Image& image, verify::BlockVerifier& blocks,
                                  Delivered* delivered);
  // What deliver() does before the start is done here, while the application starts: on a thread of
  // the caller's, in the order in which the recorded start needed it. Ends early, without an error,
  // once `stop` is asked for. Returns Delivered::bytes. Throws RunError, also when a block is
  // refused.
  virtual std::uint64_t put_ahead(const std::stop_token& stop);
  // Why the delivery itself ended the application, other than for a block that was refused. Empty
  // otherwise.
  virtual std::string failure() const { return {}; }
};

struct DeliveryInfo {
  std::string name;  // JSON value: "extract", "fuse", "erofs", "mmap"
  std::string what;
  // Does all that needs no image (mount, server thread): part of the phase "create". Throws
  // NotAvailable or RunError.
  std::unique_ptr<Delivery> (*make)();
  // Empty when this host can, otherwise why not.
  std::string (*unavailable)();
  bool lazy = false;  // whether deliver_lazily() is there
  // Of lazy ones: empty when this host can do that as well, otherwise why not. Null: it can
  // wherever it can at all.
  std::string (*lazily_unavailable)() = nullptr;
  // Whether two applications that run from one image have the same physical pages. Of two images
  // none shares any.
  bool shares_pages = false;
  // Whether the application is a static program (static_program.h) that gets no file of the image.
  bool program_only = false;

  // Empty when this host can, eagerly or lazily; otherwise why not.
  std::string unavailable_for(bool lazily) const;
};
const std::vector<DeliveryInfo>& deliveries();
// Throws InputError with the known names.
const DeliveryInfo& delivery(const std::string& name);

// The methods, one file each.
std::unique_ptr<Delivery> make_extract_delivery();
std::string extract_unavailable();
std::unique_ptr<Delivery> make_fuse_delivery();
std::string fuse_unavailable();
std::unique_ptr<Delivery> make_erofs_delivery();
std::string erofs_unavailable();
std::unique_ptr<Delivery> make_mmap_delivery();
std::string mmap_unavailable();
std::string mmap_lazily_unavailable();

}  // namespace missive::launch
