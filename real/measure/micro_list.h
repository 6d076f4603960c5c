#pragma once
// The micro-measurements, declared: micro.cpp lists them.

#include "real/cache/client.h"
#include "real/measure/micro.h"

namespace missive::measure {

// An assembled image as a sealed descriptor, checked and mapped.
double seconds_of_hand_over(cache::Client& client, const BenchImage& image);

void sha256_blocks(BenchBed& bed, Sampler& sample);
void sha256_leaves(BenchBed& bed, Sampler& sample);
void gmac(BenchBed& bed, Sampler& sample);
void block_verifier(BenchBed& bed, Sampler& sample);
void block_tag(BenchBed& bed, Sampler& sample);
void map_touch(BenchBed& bed, Sampler& sample);
void boot_block_check(BenchBed& bed, Sampler& sample);

void unix_connect(BenchBed& bed, Sampler& sample);
void unix_round_trip(BenchBed& bed, Sampler& sample);
void tag_put(BenchBed& bed, Sampler& sample);
void hand_over_sealed(BenchBed& bed, Sampler& sample);
void hand_over_copy(BenchBed& bed, Sampler& sample);
void store_lookup(BenchBed& bed, Sampler& sample);
void loopback_latency(BenchBed& bed, Sampler& sample);

void fetch(BenchBed& bed, Sampler& sample);
void assemble(BenchBed& bed, Sampler& sample);
void hand_over_assembled(BenchBed& bed, Sampler& sample);

void picoprocess_create(BenchBed& bed, Sampler& sample);
void picoprocess_prepare(BenchBed& bed, Sampler& sample);
void picoprocess_start(BenchBed& bed, Sampler& sample);
void image_open(BenchBed& bed, Sampler& sample);
void image_tree(BenchBed& bed, Sampler& sample);
void plan_ahead(BenchBed& bed, Sampler& sample);
void extract_mount(BenchBed& bed, Sampler& sample);
void extract(BenchBed& bed, Sampler& sample);
void extract_node(BenchBed& bed, Sampler& sample);
void fuse_mount(BenchBed& bed, Sampler& sample);
void fuse_lookup(BenchBed& bed, Sampler& sample);
void fuse_list(BenchBed& bed, Sampler& sample);
void fuse_directory(BenchBed& bed, Sampler& sample);
void fuse_store(BenchBed& bed, Sampler& sample);
void fuse_read(BenchBed& bed, Sampler& sample);
void fault_answer(BenchBed& bed, Sampler& sample);
void fault_ahead(BenchBed& bed, Sampler& sample);
void erofs_view(BenchBed& bed, Sampler& sample);
void erofs_mount(BenchBed& bed, Sampler& sample);

}  // namespace missive::measure
