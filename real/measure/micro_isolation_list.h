#pragma once
// The isolation micro-measurements, declared: micro_isolation.cpp lists them.

#include <string>
#include <vector>

#include "real/measure/micro.h"
#include "real/measure/micro_isolation.h"

namespace missive::measure {

// micro_call.cpp
void indirect_call(Sampler& sample);
void table_jump(Sampler& sample);
void saving_call(Sampler& sample);
void returnable_call(Sampler& sample);
void fs_base_write(Sampler& sample);
void fs_base_read(Sampler& sample);
void processor_question(Sampler& sample);

// micro_stack.cpp
void register_switch(Sampler& sample);
void register_switch_in_turn(Sampler& sample);
void stack_switch(Sampler& sample);
void stack_switch_in_turn(Sampler& sample);

// micro_kernel.cpp
void system_call(Sampler& sample);
void futex_pair(Sampler& sample);
void futex_pair_private(Sampler& sample);
void eventfd_signal(Sampler& sample);
void pipe_message(Sampler& sample);
void unix_message(Sampler& sample);
void signal_delivery(Sampler& sample);

// micro_hand_over.cpp
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

// micro_mapping.cpp
void anonymous_touch(Sampler& sample);
void file_write_touch(Sampler& sample);
void unmap(Sampler& sample);
void unmap_parts(Sampler& sample);
void allocate(Sampler& sample);
void region_start(Sampler& sample);
void region_end(Sampler& sample);
void far_touch(Sampler& sample);
void discard(Sampler& sample);
void reserve_space(Sampler& sample);
void protect_page(Sampler& sample);

// micro_memory.cpp
void remote_read(Sampler& sample);
void remote_fill(Sampler& sample);
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
void exec_replace(Sampler& sample);
void namespaces_start(Sampler& sample);
void namespaces_end(Sampler& sample);
void pipe_create(Sampler& sample);
void unix_create(Sampler& sample);

// micro_kvm.cpp
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
void copy_on_write(Sampler& sample);
void file_read_touch(Sampler& sample);
void affinity_set(Sampler& sample);
void affinity_move(Sampler& sample);
void pidfd_create(Sampler& sample);

// micro_sharing.cpp
void serialise_l1(Sampler& sample);
void serialise_l2(Sampler& sample);
void serialise_memory(Sampler& sample);
void parse_l1(Sampler& sample);
void parse_l2(Sampler& sample);
void parse_memory(Sampler& sample);
void memory_file_fill(Sampler& sample);
void memory_file_read(Sampler& sample);
void memory_file_write(Sampler& sample);
void memory_file_drop(Sampler& sample);
void seal(Sampler& sample);
void descriptor_pass(Sampler& sample);

// micro_isolation_table.cpp: those that are measured alone.
std::vector<IsolationMicro> isolation_micro_table();

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
