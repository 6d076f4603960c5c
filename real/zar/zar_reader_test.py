"""The second reader (zar_reader.py) against the program: golden files, random trees, damaged images.

usage: zar_reader_test.py MISSIVE_SIM GOLDEN_DIRECTORY
"""

import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import zar_reader  # noqa: E402

PROGRAM, GOLDEN = sys.argv[1], pathlib.Path(sys.argv[2])


def program(*words, status=0):
    done = subprocess.run([PROGRAM, "zar", *map(str, words)], capture_output=True, check=False)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{words}: status {done.returncode}: {done.stderr.decode()}")
    return done


def name_of_build(out):
    return out.stdout.decode().split("\n")[0].split(" ")[1]


def load_golden(file):
    """(name, image): lines 'name HEX', 'length N' and 'OFFSET HEX'; what no line gives is zero."""
    name, image = None, None
    for line in file.read_text().splitlines():
        key, value = line.split(" ")
        if key == "name":
            name = value
        elif key == "length":
            image = bytearray(int(value))
        else:
            data = bytes.fromhex(value)
            image[int(key) : int(key) + len(data)] = data
    return name, bytes(image)


class ReaderTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zar-reader-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def same_as_program(self, image, file):
        """Both refuse, or both read it and compute the same name."""
        file.write_bytes(image)
        done = program("verify", file, status=None)
        try:
            name = zar_reader.Image(image).name().hex()
        except zar_reader.Refused as e:
            self.assertEqual(done.returncode, 2, f"this reader refuses ({e}), the program does not")
            return None
        self.assertEqual(done.returncode, 0, f"the program refuses, this reader does not: {done.stderr.decode()}")
        self.assertEqual(done.stdout.decode().strip(), name)
        return name

    def test_golden_files(self):
        files = sorted(GOLDEN.glob("*.hex"))
        self.assertGreaterEqual(len(files), 5)
        for file in files:
            with self.subTest(file.name):
                name, image = load_golden(file)
                self.assertEqual(zar_reader.Image(image).name().hex(), name)
                self.assertEqual(self.same_as_program(image, self.folder / "image"), name)
                files_of = zar_reader.Image(image).files()
                self.assertEqual(files_of[b"/etc/motd"][3], b"welcome\n")
                self.assertEqual(files_of[b"/link"][3], b"etc/motd")

    def test_random_trees(self):
        random.seed(20)
        for round_ in range(12):
            tree = self.folder / f"tree{round_}"
            expected = self.make_tree(tree)
            options = ["--block-size", random.choice(["4KiB", "8KiB", "64KiB"]),
                       "--degree", random.choice([2, 3, 128]),
                       "--packing", random.choice("path page off greedy directory launch".split()),
                       "--placement", random.choice("in-order greedy stable launch".split()),
                       "--units", random.choice("blocks cdc strings".split()), "--chunk", "256B:1KiB:4KiB"]
            file = self.folder / "image"
            name = name_of_build(program("build", tree, file, *options))
            image = zar_reader.Image(file.read_bytes())
            self.assertEqual(image.name().hex(), name, options)
            held = image.files()
            for path, (mode, content) in expected.items():
                self.assertEqual((held[path][1], held[path][3]), (mode, content), (path, options))

    def make_tree(self, tree):
        expected = {}
        for i in range(random.randrange(1, 30)):
            path = tree / random.choice("abc") / random.choice(["x", "y y", "\udcff"]) / str(i)
            path.parent.mkdir(parents=True, exist_ok=True)
            content = random.randbytes(random.choice([0, 7, 900, 4096, 9000, 30000]))
            if random.random() < 0.2:
                content = content[:100] + bytes(20000) + content
            path.write_bytes(content)
            path.chmod(random.choice([0o644, 0o755, 0o400]))
            os.utime(path, ns=(0, random.randrange(-(10**9), 10**18)))
            expected[os.fsencode(path.relative_to(tree.parent))[len(os.fsencode(tree.name)) :]] = (
                path.stat().st_mode & 0o1777, content)
        return expected

    def test_damaged_images(self):
        random.seed(21)
        for file in sorted(GOLDEN.glob("*.hex")):
            _, image = load_golden(file)
            metadata = zar_reader.Image(image).content_start
            refused = 0
            for _ in range(12):
                damaged = bytearray(image)
                at = random.randrange(random.choice([64, 256, metadata]))
                damaged[at] = random.choice([0, 1, 0xFF, damaged[at] ^ 1 << random.randrange(8)])
                refused += self.same_as_program(bytes(damaged), self.folder / "image") is None
            self.assertGreater(refused, 0, file.name)
            for length in (0, 1, 255, 256, len(image) // 2, len(image) - 1):
                self.same_as_program(image[:length], self.folder / "image")

    def test_fs_verity_agrees(self):
        tool = shutil.which("fsverity") or shutil.which("fsverity", path="/usr/sbin:/usr/bin")
        if not tool:
            self.skipTest("fsverity is not installed")
        name, image = load_golden(GOLDEN / "fs-verity.hex")
        (self.folder / "image").write_bytes(image)
        done = subprocess.run([tool, "digest", "--block-size=4096", self.folder / "image"], capture_output=True, check=True)
        self.assertIn(name, done.stdout.decode())

    def test_gear_is_nobodys_choice(self):
        first = int.from_bytes(hashlib.sha256(b"missive-sim/gear/1\0").digest()[:8], "little")
        self.assertEqual(first, int.from_bytes(zar_reader.sha256(b"missive-sim/gear/1" + bytes(1))[:8], "little"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
