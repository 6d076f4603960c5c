#include "real/measure/micro.h"

#include "models/error.h"
#include "models/random.h"
#include "real/measure/memory_reserve.h"
#include "real/measure/micro_list.h"

namespace missive::measure {

const std::vector<Micro>& micros() {
  constexpr bool call = true, byte = true, item = true;
  static const std::vector<Micro> table{
      {"sha256_blocks", "mapped images, 4 to 40 MiB, hashed in blocks of 4 to 64 KiB", !call, byte,
       item, sha256_blocks},
      {"sha256_leaves", "mapped images of 4 and 24 MiB, hashed in blocks of 4 to 16 KiB", !call,
       byte, item, sha256_leaves},
      {"gmac", "images of 4 to 40 MiB, one tag each", call, byte, !item, gmac},
      {"block_verifier", "a verifier by block tags made for an image of one block", call, !byte,
       !item, block_verifier},
      {"block_tag", "mapped images of 4 and 24 MiB, in blocks of 4 to 64 KiB", !call, byte, item,
       block_tag},
      {"map_touch", "images of a cache, mapped afresh and read, less a second reading", !call, byte,
       !item, map_touch},
      {"boot_block_check", "one boot block opened", call, !byte, !item, boot_block_check},
      {"unix_connect", "one connection to an idle cache, and its first answer", call, !byte, !item,
       unix_connect},
      {"unix_round_trip", "a tag asked for that is not there", call, !byte, !item, unix_round_trip},
      {"tag_put", "one tag given to the cache", call, !byte, !item, tag_put},
      {"hand_over_sealed", "an image of 12 MiB received and mapped behind clone and look-up", call,
       !byte, !item, hand_over_sealed},
      {"hand_over_copy", "assembled images of 4 to 40 MiB copied through the socket", call, byte,
       !item, hand_over_copy},
      {"store_lookup", "2,000 block names looked up in a store that has half of them", !call, !byte,
       item, store_lookup},
      {"loopback_latency", "half of a one-byte TCP round trip between two processes", call, !byte,
       !item, loopback_latency},
      {"fetch", "images of 4 to 40 MiB, in blocks of 64 and of 4 KiB, fetched by a new cache", call,
       byte, item, fetch},
      {"assemble", "images of 4 to 40 MiB assembled by a cache that just fetched them", call, byte,
       !item, assemble},
      {"hand_over_assembled", "images of 12 and 40 MiB received and mapped behind their assembly",
       call, !byte, !item, hand_over_assembled},
      {"picoprocess_create", "one picoprocess", call, !byte, !item, picoprocess_create},
      {"picoprocess_prepare", "one picoprocess, from its clone on", call, !byte, !item,
       picoprocess_prepare},
      {"picoprocess_start", "a static program that does nothing, started from a delivered root",
       call, !byte, !item, picoprocess_start},
      {"image_open", "images of 2,000 files and of 1,600 directories and links", call, !byte, item,
       image_open},
      {"image_tree", "images of 2,000 files and of 1,600 directories and links", call, !byte, item,
       image_tree},
      {"plan_ahead", "an image of 400 libraries and 1,200 links to them", !call, !byte, item,
       plan_ahead},
      {"extract_mount", "one tmpfs", call, !byte, !item, extract_mount},
      {"extract", "images of 0 to 40 MiB and one of 2,000 small files", call, byte, item, extract},
      {"extract_node", "1,600 directories and links, and none", call, !byte, item, extract_node},
      {"fuse_mount", "one FUSE file system with its server", call, !byte, !item, fuse_mount},
      {"fuse_directory", "400 directories of one file, less one of 800 files", !call, !byte, item,
       fuse_directory},
      {"fuse_list", "a directory of 1,000 files, and one of one", call, !byte, item, fuse_list},
      {"fuse_store", "8 runs of 2 MiB, 768 runs of 16 KiB, and one page", call, byte, item,
       fuse_store},
      {"fuse_read", "384 requests of 4 and of 64 KiB of 48 files, less a later reading", !call,
       byte, item, fuse_read},
      {"fault_answer",
       "384 pages of another process's memory touched, each mapped alone or with 15", !call, byte,
       item, fault_answer},
      {"fault_ahead", "384 stretches of 1 and of 16 pages mapped in another process", !call, byte,
       item, fault_ahead},
      {"erofs_view", "images of 2,000 files and of 1,600 directories and links", call, !byte, item,
       erofs_view},
      {"erofs_mount", "an image of one page", call, !byte, !item, erofs_mount},
      {"fuse_lookup", "1,000 names, a third of which do not exist", !call, !byte, item,
       fuse_lookup},
  };
  return table;
}

std::vector<MicroSample> run_micros(BenchBed& bed, int repetitions, std::uint64_t seed) {
  constexpr std::uint64_t kFreshMemory = 96 << 20;  // the largest image's copies, and some
  MemoryReserve reserve(kFreshMemory);
  std::vector<std::size_t> order;
  for (int r = 0; r < repetitions; ++r)
    for (std::size_t m = 0; m < micros().size(); ++m) order.push_back(m);
  Random random(seed, 0);
  random.shuffle(order);

  std::vector<MicroSample> dropped, samples;
  std::vector<bool> here(micros().size(), true);
  for (std::size_t m = 0; m < micros().size(); ++m) try {
      Sampler warm_up(micros()[m].name, dropped);
      micros()[m].run(bed, warm_up);
    } catch (const NotAvailable&) {
      here[m] = false;  // such work cannot be in a launch here either
    }
  for (const std::size_t m : order) {
    if (!here[m]) continue;
    const auto loan = reserve.lend(kFreshMemory);
    Sampler sampler(micros()[m].name, samples);
    micros()[m].run(bed, sampler);
  }
  return samples;
}

}  // namespace missive::measure
