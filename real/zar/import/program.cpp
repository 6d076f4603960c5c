// Single programs: a WebAssembly module becomes /app/NAME, a static executable /bin/NAME.

#include <elf.h>

#include <cstring>
#include <fstream>

#include <sys/stat.h>

#include "models/error.h"
#include "real/zar/import/import.h"
#include "real/zar/output_file.h"

namespace missive::zar {

namespace {

constexpr std::size_t kHeaders = 65536;  // program headers lie in front in every linker's output

std::string whole(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.eof() && in.fail()) throw InputError(file.string() + ": cannot be read");
  return text;
}

ImportResult put(const std::filesystem::path& source, TreeWriter& tree, const std::string& name,
                 mode_t mode) {
  struct stat st {};
  if (::stat(source.c_str(), &st) != 0) throw_errno(source.string());
  const std::string text = whole(source);
  tree.directory(".", 0755, {}, source.string());
  tree.directory(name.substr(0, name.rfind('/')), 0755, {}, source.string());
  tree.file(name, mode, st.st_mtim, source.string(),
            [&](int fd) { write_all(fd, std::as_bytes(std::span(text)), source.string()); });
  return {1, 0};
}

bool is_wasm(const std::filesystem::path& source) {
  return first_bytes(source, 8) == std::string("\0asm\1\0\0\0", 8);
}

ImportResult put_wasm(const std::filesystem::path& source, TreeWriter& tree,
                      const std::filesystem::path&) {
  if (!is_wasm(source))
    throw InputError(source.string() + ": not a WebAssembly module of version 1");
  return put(source, tree, "app/" + source.filename().string(), 0644);
}

bool is_elf(const std::filesystem::path& source) { return first_bytes(source, SELFMAG) == ELFMAG; }

// A program that asks for an interpreter needs libraries that a single file does not bring.
void check_static(const std::filesystem::path& source) {
  const std::string start = first_bytes(source, kHeaders);
  Elf64_Ehdr header;
  if (start.size() < sizeof header) throw InputError(source.string() + ": not a whole ELF file");
  std::memcpy(&header, start.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      (header.e_type != ET_EXEC && header.e_type != ET_DYN))
    throw InputError(source.string() + ": not a 64-bit little-endian executable");
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr program;
    const std::size_t at = header.e_phoff + i * std::size_t{header.e_phentsize};
    if (header.e_phentsize < sizeof program || at > start.size() ||
        start.size() - at < sizeof program)
      throw InputError(source.string() + ": ELF program headers outside the file's first 64 KiB");
    std::memcpy(&program, start.data() + at, sizeof program);
    if (program.p_type == PT_INTERP)
      throw InputError(source.string() +
                       ": dynamically linked; import its packages, or a directory with its "
                       "libraries");
  }
}

ImportResult put_executable(const std::filesystem::path& source, TreeWriter& tree,
                            const std::filesystem::path&) {
  if (!is_elf(source)) throw InputError(source.string() + ": not an ELF executable");
  check_static(source);
  return put(source, tree, "bin/" + source.filename().string(), 0755);
}

}  // namespace

const ImportKind kImportWasm = {"wasm", "a WebAssembly module", is_wasm, put_wasm};
const ImportKind kImportExecutable = {"executable", "a static executable", is_elf, put_executable};

}  // namespace missive::zar
