/* A static program that touches what its arguments say, one after the other, and says what it found. Its pages are in blocks of
 * the image that the test knows by their marks. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, CONTENT = 4 << 20, DATA = 64 << 10 };

/* An array of size 0 would do for `at`, but its pages must be in the file. */
struct constants {
  char mark[16];
  unsigned char at[CONTENT];
};
const struct constants content __attribute__((aligned(PAGE))) = {
    "MISSIVE CONTENT", {[1 << 20] = 11, [2 << 20] = 22, [3 << 20] = 33, [(3 << 20) + PAGE] = 44, [CONTENT - 1] = 55}};
struct variables {
  char mark[16];
  unsigned char at[DATA];
};
struct variables data __attribute__((aligned(PAGE))) = {"MISSIVE DATA ..", {[5 * PAGE] = 5, [9 * PAGE] = 9}};

/* A function with pages of its own around it. */
__asm__(
    ".pushsection .text\n"
    ".balign 4096\n"
    ".ascii \"MISSIVE TEXT ...\"\n"
    ".globl far_function\n"
    ".type far_function, @function\n"
    "far_function: movl $66, %eax\n"
    "  ret\n"
    ".balign 4096\n"
    ".popsection\n");
int far_function(void);

static void say(const char *what, long value) {
  printf("%s %ld\n", what, value);
  fflush(stdout);
}

/* Not known to the compiler. */
static unsigned look(const volatile unsigned char *at) { return *at; }

static void *page_of(const void *address) { return (void *)((unsigned long)address & ~(PAGE - 1ul)); }

static void in_a_copy(long at) {
  const pid_t child = fork();
  if (child == 0) {
    say("child", look(content.at + at));
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  say("child ended", status);
}

static void moved(long at) {
  char *const room = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *const to = mremap(page_of(content.at + at), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
  if (to == MAP_FAILED) return say("mremap", errno);
  say("moved", look((unsigned char *)to + (unsigned long)(content.at + at) % PAGE));
}

/* The page behind is given up, and the one at hand made longer: it is there again, by no mapping that was watched as such. */
static void grown(long at) {
  char *const page = page_of(content.at + at);
  if (munmap(page + PAGE, PAGE) != 0 || mremap(page, PAGE, 2 * PAGE, 0) == MAP_FAILED) return say("mremap", errno);
  say("grown", look(content.at + at + PAGE));
}

static void collapsed(long at) {
  const unsigned long huge = 2ul << 20, from = ((unsigned long)(content.at + at) + huge - 1) & ~(huge - 1);
  say("collapse", madvise((void *)from, huge, 25 /* MADV_COLLAPSE */) == 0 ? 0 : errno);
}

int main(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *const what = argv[i];
    const long at = atol(argv[i + 1]);
    if (strcmp(what, "read") == 0) say("read", look(content.at + at));
    if (strcmp(what, "text") == 0) say("text", far_function());
    if (strcmp(what, "data") == 0) say("data", look(data.at + at));
    if (strcmp(what, "write") == 0) say("written", ++((volatile struct variables *)&data)->at[at]);
    if (strcmp(what, "send") == 0) say("sent", write(1, content.at + at, 1));
    if (strcmp(what, "fork") == 0) in_a_copy(at);
    if (strcmp(what, "move") == 0) moved(at);
    if (strcmp(what, "grow") == 0) grown(at);
    if (strcmp(what, "collapse") == 0) collapsed(at);
    if (strcmp(what, "address") == 0) say("address", (long)(content.at + at));
    if (strcmp(what, "sleep") == 0) usleep((useconds_t)at * 1000);
    if (strcmp(what, "stay") == 0) pause();
    if (strcmp(what, "watch") == 0)
      say("watch", syscall(SYS_userfaultfd, O_CLOEXEC) < 0 ? errno : 0);
  }
  return 0;
}
