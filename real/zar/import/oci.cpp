// An OCI image layout (image-spec, image-layout.md) as a directory or in a tar, or what `docker
// save` writes. Every blob that is used is checked against its digest, and the layers of a docker
// tar against the digests of its configuration.

#include <fstream>
#include <map>
#include <regex>

#include <archive.h>
#include <archive_entry.h>
#include <nlohmann/json.hpp>

#include "models/error.h"
#include "real/zar/digest.h"
#include "real/zar/import/archive.h"
#include "real/zar/import/import.h"

namespace missive::zar {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uintmax_t kMaxJson = 16 << 20;
constexpr int kMaxIndexes = 4;  // an index may name an index

Json read_json(const fs::path& file) {
  std::error_code error;
  if (const auto size = fs::file_size(file, error); error || size > kMaxJson)
    throw InputError(file.string() + ": missing, or too large for a description of an image");
  std::ifstream in(file, std::ios::binary);
  try {
    return Json::parse(in);
  } catch (const Json::exception& e) {
    throw InputError(file.string() + ": " + e.what());
  }
}

Digest hash_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw InputError(file.string() + ": missing; the image is not complete");
  Hasher hasher;
  std::vector<char> buffer(1 << 20);
  do {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hasher.update(std::as_bytes(std::span(buffer)).first(static_cast<std::size_t>(in.gcount())));
  } while (in);
  return hasher.finish();
}

// The blob of a digest "sha256:HEX", checked.
fs::path blob(const fs::path& layout, const std::string& digest) {
  static const std::regex form("sha256:[0-9a-f]{64}");
  if (!std::regex_match(digest, form))
    throw InputError(layout.string() + ": digest \"" + digest +
                     "\"; known is sha256 with 64 digits");
  fs::path file = layout / "blobs" / "sha256" / digest.substr(7);
  if (to_hex(hash_file(file)) != digest.substr(7))
    throw InputError(file.string() + ": its content has another digest; the image is damaged");
  return file;
}

// The manifest that an index leads to: the one for this platform where it says so, else the first.
Json manifest_of(const fs::path& layout, Json index) {
  for (int i = 0; i < kMaxIndexes; ++i) {
    if (index.contains("layers")) return index;
    const Json& manifests = index.at("manifests");
    if (!manifests.is_array() || manifests.empty())
      throw InputError(layout.string() + ": an index without a manifest");
    Json best = manifests.front();
    for (const Json& m : manifests)
      if (m.value("/platform/architecture"_json_pointer, std::string()) == "amd64" &&
          m.value("/platform/os"_json_pointer, std::string()) == "linux") {
        best = m;
        break;
      }
    index = read_json(blob(layout, best.at("digest")));
  }
  throw InputError(layout.string() + ": indexes that name each other");
}

void add(ImportResult& result, const Unpacked& done) {
  result.entries += done.entries;
  result.left_out += done.left_out;
}

ImportResult unpack_layout(const fs::path& layout, TreeWriter& tree) {
  ImportResult result;
  const Json manifest = manifest_of(layout, read_json(layout / "index.json"));
  for (const Json& layer : manifest.at("layers"))
    add(result, unpack_layer(blob(layout, layer.at("digest")), tree));
  return result;
}

// "ID/layer.tar" of docker's old form; the configuration gives the digests of uncompressed layers.
ImportResult unpack_docker(const fs::path& folder, TreeWriter& tree) {
  ImportResult result;
  const Json images = read_json(folder / "manifest.json");
  const auto inside = [&](const std::string& name) {
    return folder / normal_name(name, (folder / "manifest.json").string());
  };
  const Json& image = images.at(0);
  const Json config = read_json(inside(image.at("Config")));
  const Json& digests = config.at("rootfs").at("diff_ids");
  const Json& layers = image.at("Layers");
  if (layers.size() != digests.size())
    throw InputError(folder.string() + ": " + std::to_string(layers.size()) + " layers and " +
                     std::to_string(digests.size()) + " digests");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const fs::path layer = inside(layers[i]);
    if ("sha256:" + to_hex(hash_file(layer)) != digests[i])
      throw InputError(layer.string() + ": layer " + std::to_string(i) +
                       " has another digest than the configuration says; the image is damaged");
    add(result, unpack_layer(layer, tree));
  }
  return result;
}

ImportResult unpack_folder(const fs::path& folder, TreeWriter& tree) {
  try {
    return fs::exists(folder / "oci-layout") ? unpack_layout(folder, tree)
                                             : unpack_docker(folder, tree);
  } catch (const Json::exception& e) {
    throw InputError(folder.string() + ": not an OCI or docker image: " + e.what());
  }
}

bool is_description(std::string_view name) {
  return name == "oci-layout" || name == "manifest.json";
}

bool accepts(const fs::path& source) {
  if (fs::is_directory(source))
    return fs::exists(source / "oci-layout") || fs::exists(source / "manifest.json");
  const std::string start = first_bytes(source, 512);
  if (start.size() < 512 || start.compare(257, 5, "ustar") != 0) return false;
  bool found = false;
  for_each_entry(source, [&](archive*, archive_entry* entry) {
    const char* const name = ::archive_entry_pathname(entry);
    found = name != nullptr && is_description(normal_name(name, source.string()));
    return !found;
  });
  return found;
}

ImportResult unpack(const fs::path& source, TreeWriter& tree, const fs::path& scratch) {
  if (fs::is_directory(source)) return unpack_folder(source, tree);
  {
    TreeWriter folder(scratch);
    unpack_tar(source, folder);
  }
  // Nothing below may be a way out of the folder.
  for (const auto& e : fs::recursive_directory_iterator(scratch))
    if (e.is_symlink())  // docker's old form links equal layers to each other
      if (const fs::path to = fs::weakly_canonical(e.path());
          !to.string().starts_with(fs::canonical(scratch).string() + "/"))
        throw InputError(source.string() + ": a link out of the archive: refused");
  return unpack_folder(scratch, tree);
}

}  // namespace

const ImportKind kImportOci = {"oci", "an OCI image layout or docker-save tar", accepts, unpack};

}  // namespace missive::zar
