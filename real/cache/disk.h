#pragma once
// Whole reads and writes of the store's files.

#include <cstdint>
#include <span>
#include <string>

#include "models/error.h"
#include "real/fd.h"

namespace missive::cache {

// There is no room: the disk, its quota or a limit of the store's own is reached.
struct NoRoom : RunError {
  using RunError::RunError;
};

// Opens `name` below `directory` for reading and writing, made if missing. Symbolic links are not
// followed: the directory may belong to another, less trusted user. Throws RunError.
UniqueFd open_file(int directory, const char* name, const std::string& where);
std::uint64_t size_of(int fd, const std::string& where);
// Returns false when the file ends before `into` is full. Throws RunError.
bool read_at(int fd, std::span<std::byte> into, std::uint64_t offset, const std::string& where);
// Throws RunError, NoRoom when the disk is full; what was written stays.
void write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset,
              const std::string& where);
// Reserves disk space for the bytes from `offset` on, beyond the file's end too, whose size stays
// (fallocate(2)). Throws NoRoom; does nothing where the file system cannot do it.
void reserve(int fd, std::uint64_t offset, std::uint64_t bytes, const std::string& where);
// Waits until the content is on the disk (fdatasync(2)). Throws RunError.
void sync(int fd, const std::string& where);
void truncate(int fd, std::uint64_t size, const std::string& where);
std::uint32_t crc32_of(std::span<const std::byte> bytes);

}  // namespace missive::cache
