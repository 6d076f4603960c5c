/* What a static program finds around it, one line each: the test starts it from a file and from an image's pages and compares.
 * Lines that begin with "map " say what is mapped and are judged by themselves. */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

extern const ElfW(Ehdr) __ehdr_start;
extern void _start(void);

static char zeros[300001];
static int changed[5000] = {1, 2, 3};
static _Thread_local int of_thread = 77;
static const char *const relocated[] = {"first", "second"};
const char ballast[3 << 20] __attribute__((aligned(4096))) = {'b'};  /* pages of the file that nobody touches */

static const char *outcome(long result) { return result >= 0 ? "done" : strerror(errno); }

static void memory(void) {
  int sum = 0;
  for (size_t i = 0; i < sizeof zeros; ++i) sum |= zeros[i];
  printf("bss %s\n", sum == 0 ? "zero" : "NOT ZERO");
  zeros[5] = 1;
  changed[4999] = changed[2] + 4;
  printf("data %d, thread %d, %s\n", changed[4999], of_thread, relocated[sbrk(0) != NULL]);
  char *const heap = malloc(1 << 16);
  memset(heap, 1, 1 << 16);
  printf("heap %d\n", heap[70]);
  free(heap);
}

static void start(int argc, char **argv) {
  for (int i = 0; i < argc; ++i) printf("argument %s\n", argv[i]);
  for (char **each = environ; *each != NULL; ++each) printf("variable %s\n", *each);
  static const unsigned long same[] = {AT_PAGESZ, AT_PHENT, AT_PHNUM, AT_BASE, AT_FLAGS, AT_UID, AT_EUID, AT_GID,
                                       AT_EGID, AT_SECURE, AT_CLKTCK, AT_HWCAP, AT_HWCAP2};
  for (size_t i = 0; i < sizeof same / sizeof *same; ++i) printf("auxv %lu = %lu\n", same[i], getauxval(same[i]));
  printf("headers %s\n", getauxval(AT_PHDR) == (unsigned long)&__ehdr_start + __ehdr_start.e_phoff ? "right" : "WRONG");
  printf("entry %s\n", getauxval(AT_ENTRY) == (unsigned long)_start ? "right" : "WRONG");
  printf("file %s\n", (const char *)getauxval(AT_EXECFN));
  printf("random %s, vdso %s\n", getauxval(AT_RANDOM) != 0 ? "yes" : "no", getauxval(AT_SYSINFO_EHDR) != 0 ? "yes" : "no");
  char name[17] = "";
  prctl(PR_GET_NAME, name);
  printf("name %s, dumpable %d, umask %o\n", name, prctl(PR_GET_DUMPABLE), umask(0));
}

static void rights(void) {
  FILE *const status = fopen("/proc/self/status", "r");
  static const char *const keys[] = {"Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "SigCgt", "Threads",
                                     "NSpid", "TracerPid"};
  char line[512];
  while (status != NULL && fgets(line, sizeof line, status) != NULL)
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i)
      if (strncmp(line, keys[i], strlen(keys[i])) == 0) fputs(line, stdout);
  if (status != NULL) fclose(status);
  struct rlimit core;
  getrlimit(RLIMIT_CORE, &core);
  printf("core %lu, session %d\n", (unsigned long)core.rlim_max, getsid(0) == getpid());
  for (int fd = 0; fd < 1024; ++fd)
    if (fcntl(fd, F_GETFD) >= 0) printf("descriptor %d\n", fd);
  printf("mount %s\n", outcome(mount("none", "/tmp", "tmpfs", 0, NULL)));
  printf("unshare %s\n", outcome(unshare(CLONE_NEWUSER)));
  printf("ptrace %s\n", outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL)));
  printf("setns %s\n", outcome(syscall(SYS_setns, 0, 0)));
  printf("bpf %s\n", outcome(syscall(SYS_bpf, 0, NULL, 0)));
  printf("userfaultfd %s\n", outcome(syscall(SYS_userfaultfd, 0)));
  printf("kill init %s\n", outcome(kill(1, SIGKILL)));
  printf("root again %s\n", outcome(setuid(0)));
  char directory[256];
  printf("directory %s\n", getcwd(directory, sizeof directory) != NULL ? directory : "none");
}

static void mapped(void) {
  char line[512];
  FILE *const maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) printf("map %s", line);
  if (maps != NULL) fclose(maps);
}

int main(int argc, char **argv) {
  start(argc, argv);
  memory();
  rights();
  mapped();
  fflush(stdout);
  if (argc > 1 && strcmp(argv[1], "stay") == 0) pause();
  return 0;
}
