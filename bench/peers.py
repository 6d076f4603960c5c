"""Times what bench/peers names. usage: peers.py PROGRAM TREE WORK ROUNDS [SLOW]"""

import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time

PROGRAM, TREE, WORK, ROUNDS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
SLOW = len(sys.argv) > 5 and sys.argv[5] == "1"


def path(name):
    return os.path.join(WORK, name)


def have(tool):
    return shutil.which(tool) is not None


def run(*words, **options):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


def zar_build(*options, to="a.zar", packing="greedy"):
    return lambda: run(PROGRAM, "zar", "build", TREE, path(to), "--block-size", "4KiB", "--packing", packing, "--quiet",
                       *options)


def fresh(name):
    shutil.rmtree(path(name), ignore_errors=True)
    return path(name)


def erofs_and_verity():
    erofs()
    run("veritysetup", "format", "--salt=00", path("a.erofs"), path("a.verity"))


def erofs():
    if os.path.exists(path("a.erofs")):
        os.unlink(path("a.erofs"))
    run("mkfs.erofs", "-T0", "--all-root", path("a.erofs"), TREE)


def squashfs():
    run("mksquashfs", TREE, path("a.sqfs"), "-noappend", "-all-root", "-noI", "-noD", "-noF", "-noX", "-noId",
        "-all-time", "0", "-mkfs-time", "0")


def casync():
    run("casync", "make", "--store=" + fresh("a.castr"), path("a.caidx"), TREE)


def ostree():
    repo = fresh("ostree")
    run("ostree", "--repo=" + repo, "init", "--mode=bare-user-only")
    run("ostree", "--repo=" + repo, "commit", "-b", "a", "--owner-uid=0", "--owner-gid=0", "--no-xattrs",
        "--canonical-permissions", "--tree=dir=" + TREE)


def borg():
    repo = fresh("borg")
    run("borg", "init", "-e", "none", repo, env={**os.environ, "BORG_BASE_DIR": WORK})
    run("borg", "create", "-C", "lz4", repo + "::a", ".", cwd=TREE, env={**os.environ, "BORG_BASE_DIR": WORK})


BUILD = {
    "zar build (greedy, 4 KiB blocks, SHA-256 tree)": (PROGRAM, zar_build()),
    "zar build, packing path": (PROGRAM, zar_build(to="b.zar", packing="path")),
    "zar build, content-defined units": (PROGRAM, zar_build("--units", "cdc", to="b.zar")),
    "mkfs.erofs, then veritysetup format": ("veritysetup", erofs_and_verity),
    "mkfs.erofs, no tree": ("mkfs.erofs", erofs),
    "mksquashfs, no compression, no tree": ("mksquashfs", squashfs),
}
if SLOW:
    BUILD |= {
        "casync make (compresses)": ("casync", casync),
        "ostree commit, bare-user-only": ("ostree", ostree),
        "borg create, lz4": ("borg", borg),
    }
VERIFY = {
    "zar verify": (PROGRAM, lambda: run(PROGRAM, "zar", "verify", path("a.zar"))),
    "veritysetup format of the EROFS image": (
        "veritysetup", lambda: run("veritysetup", "format", "--salt=00", path("a.erofs"), path("a.verity"))),
    "fsverity digest of the zarfile": ("fsverity", lambda: run("fsverity", "digest", path("a.zar"))),
    "b3sum of the zarfile": ("b3sum", lambda: run("b3sum", path("a.zar"))),
    "openssl dgst -sha256 of the zarfile": ("openssl", lambda: run("openssl", "dgst", "-sha256", path("a.zar"))),
}


def timed(work):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    work()
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak_memory():
    """KiB of a zar build, from a process of its own."""
    code = ("import resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", code, PROGRAM, "zar", "build", TREE, path("b.zar"), "--block-size",
                           "4KiB", "--packing", "greedy", "--quiet"], check=True, capture_output=True, text=True)
    return int(done.stdout)


def table(title, entries):
    able = {name: work for name, (tool, work) in entries.items() if have(tool)}
    print(f"\n{title}")
    for name, (tool, _) in entries.items():
        if name not in able:
            print(f"  {name:48} not available here: {tool} is not installed")
    samples = {name: [] for name in able}
    for work in able.values():  # warm
        work()
    for _ in range(ROUNDS):
        for name in random.sample(list(able), len(able)):
            samples[name].append(timed(able[name]))
    base = statistics.median(s[0] for s in samples[next(iter(able))])
    print(f"  {'':48} {'median s':>9} {'min':>7} {'max':>7} {'CPU s':>7} {'ratio':>7}")
    for name, s in samples.items():
        walls = [x[0] for x in s]
        print(f"  {name:48} {statistics.median(walls):9.3f} {min(walls):7.3f} {max(walls):7.3f} "
              f"{statistics.median(x[1] for x in s):7.3f} {statistics.median(walls) / base:7.2f}")
    return {name: statistics.median(x[0] for x in s) for name, s in samples.items()}


def first_touch(root, files):
    """Microseconds for open, one page at a random place, close; each file once, so that every touch is a first one."""
    samples = []
    for name, size in files:
        at = random.randrange(max(size // 4096, 1)) * 4096
        start = time.perf_counter_ns()
        fd = os.open(os.path.join(root, name), os.O_RDONLY)
        os.pread(fd, 4096, at)
        os.close(fd)
        samples.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(samples)


def random_read(files):
    print("\nrandom read: open a file, read 4 KiB at a random place, each file once (median us of 2,000)")
    bench = os.path.join(os.path.dirname(PROGRAM), "real_zar_read_bench")
    listing = path("files")
    with open(listing, "wb") as out:
        for name, _ in files:
            out.write(b"/" + os.fsencode(name) + b"\n")
    reader = None
    if os.access(bench, os.X_OK):
        done = subprocess.run([bench, "--read", path("a.zar"), listing], check=True, capture_output=True, text=True)
        reader = float(done.stdout.split()[0])
        print(f"  {'reader on the zarfile, first touch':48} {reader:9.1f}   ({done.stdout.split()[1]} to open the image)")
    else:
        print(f"  {'reader on the zarfile':48} not available here: {bench} is not built")
    os.makedirs(path("m"), exist_ok=True)
    try:
        run("mount", "-t", "erofs", "-o", "ro,loop", path("a.erofs"), path("m"))
    except (subprocess.CalledProcessError, FileNotFoundError):
        print(f"  {'mounted EROFS':48} not available here: cannot mount")
        return
    try:
        mounted = first_touch(path("m"), files)
    finally:
        subprocess.run(["umount", path("m")], check=False)
    print(f"  {'mounted EROFS, first touch':48} {mounted:9.1f}" + (f" {mounted / reader:7.1f}" if reader else ""))


def main():
    random.seed(1)
    files, content, inodes = [], 0, set()
    for folder, _, names in os.walk(TREE):
        for name in names:
            full = os.path.join(folder, name)
            st = os.lstat(full)
            if os.path.isfile(full) and not os.path.islink(full):
                files.append((os.path.relpath(full, TREE), st.st_size))
                content += 0 if (st.st_dev, st.st_ino) in inodes else st.st_size
                inodes.add((st.st_dev, st.st_ino))
                with open(full, "rb") as warm:
                    while warm.read(1 << 20):
                        pass
    print(f"{TREE}: {len(files)} files, {content / 2**20:.1f} MiB; {ROUNDS} rounds, interleaved in random order, "
          f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    built = table("build", BUILD)
    table("verify (ratios to the first)", VERIFY)
    random_read(random.sample([f for f in files if f[1] > 0], min(2000, len(files))))
    size = os.path.getsize(path("a.zar"))
    print(f"\nzar image: {size / 2**20:.1f} MiB, {100 * size / content:.2f} % of content; "
          f"peak memory of zar build {peak_memory() / 1024:.0f} MiB")
    names = list(built)
    if "mkfs.erofs, then veritysetup format" in built:
        print(f"zar build against mkfs.erofs and veritysetup: {built['mkfs.erofs, then veritysetup format'] / built[names[0]]:.2f} "
              "times as fast")


if __name__ == "__main__":
    main()
