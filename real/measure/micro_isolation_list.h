#pragma once
// The isolation micro-measurements, declared: micro_isolation.cpp lists them.

#include <string>

#include "real/measure/micro.h"

namespace missive::measure {

// micro_crossing.cpp
void indirect_call(Sampler& sample);
void register_switch(Sampler& sample);
void stack_switch(Sampler& sample);
void fs_base_write(Sampler& sample);
void processor_question(Sampler& sample);
void system_call(Sampler& sample);
void futex_pair(Sampler& sample);
void eventfd_signal(Sampler& sample);
void pipe_message(Sampler& sample);
void unix_message(Sampler& sample);
void signal_delivery(Sampler& sample);
void poll_wait(Sampler& sample);
void wake_thread(Sampler& sample);
void wake_process(Sampler& sample);
void wake_many_threads(Sampler& sample);
void wake_many_processes(Sampler& sample);
void line_transfer(Sampler& sample);

// micro_segment.cpp
void far_jump(Sampler& sample);
void segment_load(Sampler& sample);
void segment_table_write(Sampler& sample);

// micro_memory.cpp
void anonymous_touch(Sampler& sample);
void file_write_touch(Sampler& sample);
void unmap(Sampler& sample);
void allocate(Sampler& sample);
void region_start(Sampler& sample);
void region_end(Sampler& sample);
void far_touch(Sampler& sample);
void discard(Sampler& sample);
void remote_read(Sampler& sample);
void reserve_space(Sampler& sample);
void protect_page(Sampler& sample);
void fill_l1(Sampler& sample);
void fill_l2(Sampler& sample);
void fill_memory(Sampler& sample);
void copy_l1(Sampler& sample);
void copy_l2(Sampler& sample);
void copy_memory(Sampler& sample);
void read_l1(Sampler& sample);
void read_l2(Sampler& sample);
void read_memory(Sampler& sample);

// micro_creation.cpp
void thread_start(Sampler& sample);
void thread_end(Sampler& sample);
void fork_start(Sampler& sample);
void process_end(Sampler& sample);
void namespaces_start(Sampler& sample);
void namespaces_end(Sampler& sample);
void pipe_create(Sampler& sample);
void unix_create(Sampler& sample);
void kvm_create(Sampler& sample);
void kvm_first_run(Sampler& sample);
void kvm_end(Sampler& sample);
void kvm_exit(Sampler& sample);

// micro_confinement.cpp
void user_map(Sampler& sample);
void private_mounts(Sampler& sample);
void file_system_create(Sampler& sample);
void root_change(Sampler& sample);
void filter_load(Sampler& sample);
void exec_replace(Sampler& sample);
void copy_on_write(Sampler& sample);
void file_read_touch(Sampler& sample);
void affinity_set(Sampler& sample);
void affinity_move(Sampler& sample);
void pidfd_create(Sampler& sample);

// micro_sharing.cpp
void serialise_cached(Sampler& sample);
void serialise_memory(Sampler& sample);
void parse_cached(Sampler& sample);
void parse_memory(Sampler& sample);
void memory_file_fill(Sampler& sample);
void memory_file_read(Sampler& sample);
void memory_file_write(Sampler& sample);
void memory_file_drop(Sampler& sample);
void seal(Sampler& sample);
void descriptor_pass(Sampler& sample);

std::string fs_base_write_unavailable();
std::string second_cpu_unavailable();
std::string kvm_unavailable();
std::string segment_table_unavailable();
std::string namespaces_unavailable();
std::string mounts_unavailable();

// The CPU of the calling thread's first allowed one, and the second; -1 when there is none.
int first_cpu();
int second_cpu();
void pin_to(int cpu);

}  // namespace missive::measure
