// Zarfiles: reading, naming, building.
//
// A file is read into memory of this process, not mapped: the reader's checks hold only for bytes
// that do not change, and a mapped file that somebody truncates ends the interpreter by SIGBUS.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "models/error.h"
#include "python/bindings/bindings.h"
#include "real/fd.h"
#include "real/zar/builder.h"
#include "real/zar/image.h"
#include "real/zar/merkle.h"

namespace missive::python {

namespace py = pybind11;

namespace {

class ZarFile {
 public:
  explicit ZarFile(const std::string& path) : bytes_(read(path)) {
    image_ = std::make_unique<zar::Image>(zar::Image::open(bytes(), path));
  }

  std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  const zar::Image& image() const { return *image_; }
  zar::TreeShape shape() const { return {size_, image_->block_size(), image_->degree()}; }

  // Several threads of the interpreter may ask at once: callers have released its lock.
  const std::vector<zar::Digest>& leaves() {
    const std::lock_guard lock(hashing_);
    if (leaves_.empty()) leaves_ = zar::leaf_hashes(bytes(), shape());
    return leaves_;
  }

 private:
  std::unique_ptr<std::byte[]> read(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
      throw InputError(path + ": cannot be read: " + std::strerror(errno) + "; name an image file");
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
      throw InputError(path + ": no image: not a file with content; name an image file");
    size_ = static_cast<std::size_t>(status.st_size);
    auto bytes = std::make_unique_for_overwrite<std::byte[]>(size_);
    for (std::size_t at = 0; at < size_;) {
      const ssize_t n = ::read(fd.get(), bytes.get() + at, size_ - at);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw InputError(path + ": it became shorter while it was read; read it again");
      at += static_cast<std::size_t>(n);
    }
    return bytes;
  }

  std::size_t size_ = 0;
  std::unique_ptr<std::byte[]> bytes_;
  std::unique_ptr<zar::Image> image_;
  std::mutex hashing_;
  std::vector<zar::Digest> leaves_;
};

const char* kind_name(zar::EntryKind kind) {
  return kind == zar::EntryKind::directory ? "directory"
         : kind == zar::EntryKind::symlink ? "symlink"
                                           : "file";
}

py::tuple entry(const zar::Entry& e) {
  return py::make_tuple(std::string(e.path), kind_name(e.kind), e.mode, e.mtime_ns, e.size,
                        e.offset);
}

// A view of the image's own memory: it keeps the image alive, and cannot be written.
py::array view(const py::object& self, std::span<const std::byte> bytes) {
  py::array array(py::dtype::of<std::uint8_t>(), static_cast<py::ssize_t>(bytes.size()),
                  bytes.data(), self);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

py::array_t<std::uint8_t> digests(const std::vector<zar::Digest>& all) {
  py::array_t<std::uint8_t> array({static_cast<py::ssize_t>(all.size()), py::ssize_t{32}});
  if (!all.empty()) std::memcpy(array.mutable_data(), all.data(), all.size() * sizeof(zar::Digest));
  return array;
}

const zar::Entry& find(const ZarFile& self, const std::string& path) {
  const auto index = self.image().find(path);
  if (!index) throw InputError(path + ": no such entry in the image; .entries() lists them");
  return self.image().entries()[*index];
}

py::dict build(const std::string& tree, const std::string& output, std::uint32_t block_size,
               std::uint32_t degree, const std::string& packing, const std::string& placement,
               const std::vector<std::string>& files) {
  zar::BuildOptions options;
  options.block_size = block_size;
  options.degree = degree;
  options.packing = packing;
  options.placement = placement;
  zar::Selection selection;
  selection.files = files;
  zar::BuildReport report;
  {
    const py::gil_scoped_release release;
    report = zar::build(tree, selection, options, output);
  }
  py::dict d;
  d["name"] = zar::to_hex(report.name);
  d["length"] = report.recipe.shape.length;
  d["blocks"] = report.recipe.shape.blocks();
  d["files"] = report.files;
  d["directories"] = report.directories;
  d["symlinks"] = report.symlinks;
  d["content"] = report.content_bytes;
  d["metadata"] = report.metadata_bytes;
  d["padding"] = report.padding_bytes;
  d["missing"] = report.missing;
  return d;
}

}  // namespace

void bind_zar(py::module_& module) {
  static_assert(sizeof(zar::Digest) == 32);
  py::class_<ZarFile>(module, "ZarFile", "An image in memory, its index checked.")
      .def(py::init<const std::string&>(), py::arg("path"),
           py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("length", [](const ZarFile& f) { return f.bytes().size(); })
      .def_property_readonly("block_size", [](const ZarFile& f) { return f.image().block_size(); })
      .def_property_readonly("degree", [](const ZarFile& f) { return f.image().degree(); })
      .def("entries",
           [](const ZarFile& f) {
             py::list all;
             for (const zar::Entry& e : f.image().entries()) all.append(entry(e));
             return all;
           })
      .def(
          "stat", [](const ZarFile& f, const std::string& path) { return entry(find(f, path)); },
          py::arg("path"))
      .def(
          "content",
          [](const py::object& self, const std::string& path) {
            const auto& f = self.cast<const ZarFile&>();
            return view(self, f.image().content(find(f, path)));
          },
          py::arg("path"))
      .def("data",
           [](const py::object& self) { return view(self, self.cast<const ZarFile&>().bytes()); })
      .def("launch_runs",
           [](const ZarFile& f) {
             py::list runs;
             for (const zar::LaunchRun& r : f.image().launch_runs())
               runs.append(py::make_tuple(std::string(f.image().entries()[r.entry].path),
                                          r.first_page, r.pages));
             return runs;
           })
      .def("block_hashes",
           [](ZarFile& f) {
             const std::vector<zar::Digest>* leaves = nullptr;
             {
               const py::gil_scoped_release release;
               leaves = &f.leaves();
             }
             return digests(*leaves);
           })
      .def("name", [](ZarFile& f) {
        const py::gil_scoped_release release;
        return zar::to_hex(zar::image_name(zar::tree_root(f.leaves(), f.shape()), f.shape()));
      });
  module.def("zar_build", &build, py::arg("tree"), py::arg("output"), py::arg("block_size"),
             py::arg("degree"), py::arg("packing"), py::arg("placement"), py::arg("files"));
}

}  // namespace missive::python
