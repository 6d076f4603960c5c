// Primitives of creation: threads, processes, namespaces, descriptors.

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "real/domains/cells/memory.h"
#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"
#include "real/measure/micro_process.h"
#include "real/measure/micro_repeat.h"

namespace missive::measure {

namespace {

constexpr std::size_t kPage = 4096;

constexpr std::uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
                                      CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;

void* say_word(void* word) {
  static_cast<const Word*>(word)->say();
  return nullptr;
}

void* hear_word(void* word) {
  static_cast<const Word*>(word)->await();
  return nullptr;
}

}  // namespace

void thread_start(Sampler& sample) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, 64 * 1024);
  const Word word;
  repeat(sample, 30, [&](double& t) {
    pthread_t thread{};
    t += seconds_of([&] {
      errno = ::pthread_create(&thread, &attributes, say_word, const_cast<Word*>(&word));
      micro_must(errno == 0, "pthread_create");
      word.await();
    });
    ::pthread_join(thread, nullptr);
  });
  ::pthread_attr_destroy(&attributes);
}

void thread_end(Sampler& sample) {
  const Word word;
  repeat(sample, 30, [&](double& t) {
    pthread_t thread{};
    errno = ::pthread_create(&thread, nullptr, hear_word, const_cast<Word*>(&word));
    micro_must(errno == 0, "pthread_create");
    ::sched_yield();  // lets it fall asleep
    t += seconds_of([&] {
      word.say();
      ::pthread_join(thread, nullptr);
    });
  });
}

namespace {

// work(pages) with more pages than this process has anyway, written and not of the huge kind; how
// many that makes is its argument.
template <typename Work>
void with_pages(const Work& work) {
  for (const std::size_t more : {1U, 1024U, 4096U}) {
    Mapping inherited = Mapping::anonymous(more * kPage, "micro-measurement");
    ::madvise(inherited.writable().data(), more * kPage, MADV_NOHUGEPAGE);
    std::memset(inherited.writable().data(), 1, more * kPage);
    work(domains::private_pages());
  }
}

constexpr int kForks = 4;  // for each number of pages

}  // namespace

void fork_start(Sampler& sample) {
  const Word word;
  with_pages([&](std::uint64_t pages) {
    for (int i = 0; i < kForks; ++i) {
      pid_t child = -1;
      const double t = seconds_of([&] {
        child = ::fork();
        if (child == 0) speak_and_wait(word);
        micro_must(child > 0, "fork");
        word.await();
      });
      end(child);
      sample.add(1, 0, pages, t);
    }
  });
}

void process_end(Sampler& sample) {
  const Word word;
  with_pages([&](std::uint64_t pages) {
    for (int i = 0; i < kForks; ++i) {
      const pid_t child = ::fork();
      if (child == 0) speak_and_wait(word);
      micro_must(child > 0, "fork");
      word.await();
      sample.add(1, 0, pages, seconds_of([&] { end(child); }));
    }
  });
}

// From execve in a forked child to the word of the program that takes its place.
void exec_replace(Sampler& sample) {
  const TinyProgram program;
  const SharedReport report;
  with_pages([&](std::uint64_t pages) {
    for (int i = 0; i < kForks; ++i) {
      const pid_t child = ::fork();
      micro_must(child >= 0, "fork");
      if (child == 0) {
        report->stamp = now_ns();
        program.become();
      }
      const bool heard = program.heard();
      const std::int64_t now = now_ns();
      end(child);
      micro_must(heard, "the program's word");
      sample.add(1, 0, pages, static_cast<double>(now - report->stamp) * 1e-9);
    }
  });
}

std::string namespaces_unavailable() {
  const pid_t child = fork_into(kNamespaces);
  if (child == 0) ::_exit(0);
  if (child < 0)
    return std::string("new namespaces are refused here: ") + std::strerror(errno) +
           " (clone(2); user.max_*_namespaces, seccomp)";
  reap(child);
  return {};
}

void namespaces_start(Sampler& sample) {
  const Word word;
  with_pages([&](std::uint64_t pages) {
    for (int i = 0; i < kForks / 2; ++i) {
      pid_t child = -1;
      const double t = seconds_of([&] {
        child = fork_into(kNamespaces);
        if (child == 0) speak_and_wait(word);
        micro_must(child > 0, "clone3");
        word.await();
      });
      end(child);
      sample.add(1, 0, pages, t);
    }
  });
}

// A small program: what a fork inherits, and gives back at its end, is not what is asked here.
void namespaces_end(Sampler& sample) {
  const TinyProgram program;
  repeat(sample, 4, [&](double& t) {
    const pid_t child = fork_into(kNamespaces);
    if (child == 0) program.become();
    micro_must(child > 0, "clone3");
    const bool heard = program.heard();
    t += seconds_of([&] { end(child); });
    micro_must(heard, "the program's word");
  });
}

void pipe_create(Sampler& sample) {
  repeat_all(sample, 500, [] {
    int ends[2];
    micro_must(::pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

void unix_create(Sampler& sample) {
  repeat_all(sample, 500, [] {
    int ends[2];
    micro_must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

}  // namespace missive::measure
