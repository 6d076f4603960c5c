#pragma once
// EROFS on disk, as far as it is written here: little-endian, blocks of a page, inodes in their
// longer form. Layout and numbers: the kernel's fs/erofs/erofs_fs.h (uncompressed EROFS, with a
// table of devices since Linux 5.16).

#include <array>
#include <bit>
#include <cstdint>

namespace missive::launch::erofs {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kSlot = 32;   // an inode's number counts these, from the first inode
constexpr std::uint64_t kInode = 64;  // erofs_inode_extended
constexpr std::uint64_t kFirstInode = kBlock;
constexpr std::uint32_t kHole = 0xFFFFFFFF;  // EROFS_NULL_ADDR

struct SuperBlock {  // at offset 1024
  std::uint32_t magic = 0xE0F5E1E2, checksum = 0, feature_compat = 0;
  std::uint8_t block_bits = 12, extension_slots = 0;
  std::uint16_t root = 0;
  std::uint64_t inodes = 0, epoch = 0;
  std::uint32_t fixed_nsec = 0, blocks = 0;
  std::uint32_t inodes_block = kFirstInode / kBlock, attributes_block = 0;
  std::array<char, 16> uuid{}, volume{};
  std::uint32_t feature_incompat = 0x4 | 0x8;  // chunked files, device table
  std::uint16_t algorithms = 0, extra_devices = 1, device_slot = (1024 + 128) / 128;
  std::array<char, 38> rest{};
};
static_assert(sizeof(SuperBlock) == 128);

struct DeviceSlot {  // right behind it
  std::array<char, 64> tag{};
  std::uint32_t blocks = 0, mapped_block = 0;
  std::array<char, 56> rest{};
};
static_assert(sizeof(DeviceSlot) == 128);

struct Inode {
  std::uint16_t format = 0, attributes = 0, mode = 0, reserved = 0;
  std::uint64_t size = 0;
  std::uint32_t where = 0;  // first block, or the chunks' format
  std::uint32_t number = 0, uid = 0, gid = 0;
  std::uint64_t mtime = 0;
  std::uint32_t mtime_nsec = 0, links = 0;
  std::array<char, 16> rest{};
};
static_assert(sizeof(Inode) == kInode);

enum class Layout : std::uint16_t { plain = 0, inlined = 2, chunks = 4 };
constexpr std::uint16_t format_of(Layout layout) {
  return static_cast<std::uint16_t>(1 | static_cast<std::uint16_t>(layout) << 1);  // 1: extended
}
constexpr std::uint32_t kIndexed = 0x20;  // chunks are found through indexes; below: lg of blocks

struct ChunkIndex {
  std::uint16_t block_high = 0, device = 0;
  std::uint32_t block = kHole;
};
static_assert(sizeof(ChunkIndex) == 8);

struct __attribute__((packed)) Dirent {
  std::uint64_t inode = 0;
  std::uint16_t name_offset = 0;
  std::uint8_t type = 0, reserved = 0;
};
static_assert(sizeof(Dirent) == 12);

}  // namespace missive::launch::erofs
