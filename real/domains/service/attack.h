/* What a hostile guest can be told to do. Plain C, beside the service, so that every kind of guest
 * compiles it.
 *
 * Numbers are entries of call() from 100 on; arguments are 64-bit words in host order unless said
 * otherwise. A reply is what the guest got hold of. An attack that cannot even be written in a
 * guest's instruction set (system calls in WebAssembly or on a bare virtual CPU) replies with the
 * text MISSIVE_NOT_APPLICABLE, or returns -2 when that does not fit. */
#ifndef MISSIVE_ATTACK_H
#define MISSIVE_ATTACK_H

enum missive_attack_number {
  /* address, length: replies with the bytes there. */
  MISSIVE_WILD_READ = 100,
  /* address, value: stores the value there. */
  MISSIVE_WILD_WRITE = 101,
  /* address: calls it as void(void). */
  MISSIVE_WILD_JUMP = 102,
  /* frames: recursion of that depth, 1 KiB and more each. */
  MISSIVE_STACK_OVERFLOW = 103,
  /* Computes for ever. */
  MISSIVE_ENDLESS_LOOP = 104,
  /* bytes: touches that much fresh memory; replies with how much (one word) it got. */
  MISSIVE_MEMORY_HOG = 105,
  /* children: forks that many, each asleep for two seconds; replies with how many it got and the
     errno that stopped it. */
  MISSIVE_FORK_BOMB = 106,
  /* path, terminated by a zero byte: replies with the file's content, and creates PATH.owned. */
  MISSIVE_OPEN_HOST_FILE = 107,
  /* pid, spared pid: SIGKILL to pid, to the parent unless it is the spared pid, and to the own
     process group. */
  MISSIVE_KILL_PARENT = 108,
  /* Any bytes: inverts them all, where they were passed, after the caller has checked them. */
  MISSIVE_CORRUPT_ARGUMENT = 109,
  /* An instruction that cannot be executed. */
  MISSIVE_CRASH = 110,
  /* Blocks for ever: asleep where there are system calls. */
  MISSIVE_NEVER_RETURN = 111,
  /* Claims a reply 1 GiB larger than the room for it. */
  MISSIVE_OVERSIZED_REPLY = 112,
  /* The same as MISSIVE_WILD_READ; the harness asks for what the host knew before it made the
     domain: a domain that begins as a copy of the host has it. */
  MISSIVE_INHERITED_READ = 113,
};

#define MISSIVE_NOT_APPLICABLE "not applicable"

#endif
