"""Zarfiles in Python: what was packed is what is read, and blocks are compared by content."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import missive
from missive import _program, zar

KIB = 1024


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "usr/lib").mkdir(parents=True)
    random = np.random.default_rng(1)
    (root / "usr/lib/big").write_bytes(random.bytes(300 * KIB))
    (root / "usr/lib/small").write_bytes(b"hello")
    (root / "usr/lib/empty").write_bytes(b"")
    os.symlink("big", root / "usr/lib/link")
    return root


def test_an_image_holds_what_was_packed(tree: Path, tmp_path: Path) -> None:
    report = zar.build(tree, tmp_path / "image", block_size=64 * KIB)
    image = zar.open(tmp_path / "image")
    assert (image.length, image.block_size, image.degree) == (report.length, 64 * KIB, 128)
    assert image.blocks == report.blocks == image.length // image.block_size
    assert image.name == report.name
    for name in ("big", "small", "empty"):
        assert image.read(f"/usr/lib/{name}") == (tree / "usr/lib" / name).read_bytes()
    assert image.read("/usr/lib/link") == b"big"
    assert image.stat("/usr/lib").kind == "directory"
    assert image.stat("/usr/lib/big").size == 300 * KIB
    frame = image.frame()
    assert list(frame.columns) == list(zar.Entry._fields)
    assert list(frame.path) == [e.path for e in image.entries()] == sorted(frame.path)
    assert report.files == (frame.kind == "file").sum() == 3
    assert image.launch_runs() == []


def test_block_hashes_are_sha256_of_the_blocks(tree: Path, tmp_path: Path) -> None:
    zar.build(tree, tmp_path / "image", block_size=4 * KIB)
    image = zar.open(tmp_path / "image")
    data = (tmp_path / "image").read_bytes()
    assert image.data().tobytes() == data
    hashes = image.block_hashes()
    assert hashes.shape == (image.blocks, 32) and hashes.dtype == np.uint8
    for i in (0, image.blocks // 2, image.blocks - 1):
        assert hashes[i].tobytes() == hashlib.sha256(data[i * 4 * KIB : (i + 1) * 4 * KIB]).digest()
    blocks = image.blocks_of("/usr/lib/big")
    assert len(blocks) == 300 // 4
    assert data[blocks.start * 4 * KIB :].startswith((tree / "usr/lib/big").read_bytes()[:100])
    assert list(image.blocks_of("/usr/lib/empty")) == []


def test_views_cannot_be_written_and_outlive_the_image(tree: Path, tmp_path: Path) -> None:
    zar.build(tree, tmp_path / "image")
    image = zar.open(tmp_path / "image")
    content = image.content("/usr/lib/big")
    with pytest.raises(ValueError, match="read-only"):
        content[0] = 1
    del image
    gc.collect()
    assert content.tobytes() == (tree / "usr/lib/big").read_bytes()
    # Somebody cuts the file short meanwhile: what was read stays.
    os.truncate(tmp_path / "image", 10)
    assert content.tobytes() == (tree / "usr/lib/big").read_bytes()


def test_the_program_agrees_on_the_name(tree: Path, tmp_path: Path) -> None:
    zar.build(tree, tmp_path / "image", degree=2, packing="page")
    said = subprocess.run(
        [_program.program(), "zar", "verify", tmp_path / "image"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == zar.open(tmp_path / "image").name


def test_commonality_counts_distinct_blocks(tree: Path, tmp_path: Path) -> None:
    zar.build(tree, tmp_path / "a", block_size=4 * KIB)
    (tree / "usr/lib/more").write_bytes(np.random.default_rng(2).bytes(40 * KIB))
    zar.build(tree, tmp_path / "b", block_size=4 * KIB)
    a, b = zar.open(tmp_path / "a"), zar.open(tmp_path / "b")
    found = zar.compare(a, b)
    first = {h.tobytes() for h in a.block_hashes()}
    second = {h.tobytes() for h in b.block_hashes()}
    assert found.shared == len(first & second) >= 74
    assert found.missing == len(second - first) >= 10
    assert found.missing_bytes == found.missing * 4 * KIB
    assert found.in_a.shape == (b.blocks,)
    assert list(found.in_a) == [h.tobytes() in first for h in b.block_hashes()]
    assert 0.5 < found.commonality < 1
    same = zar.compare(a, a)
    assert same.commonality == 1 and same.missing == 0


def test_only_chosen_files_go_in_and_missing_ones_are_named(tree: Path, tmp_path: Path) -> None:
    report = zar.build(tree, tmp_path / "image", files=["/usr/lib/small", "/usr/lib/none"])
    assert report.files == 1 and report.missing == ["/usr/lib/none"]


def test_bad_images_and_trees_are_one_line(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "noise").write_bytes(os.urandom(5000))
    for path, why in (("none", "cannot be read"), ("empty", "no image"), ("noise", "magic"), (".", "no image")):
        with pytest.raises(missive.InputError, match=why) as caught:
            zar.open(tmp_path / path)
        assert "\n" not in str(caught.value)
    zar.build(tree, tmp_path / "a", block_size=4 * KIB)
    zar.build(tree, tmp_path / "b", block_size=8 * KIB)
    with pytest.raises(missive.InputError, match="build both with one block size"):
        zar.compare(zar.open(tmp_path / "a"), zar.open(tmp_path / "b"))
    with pytest.raises(missive.InputError):
        zar.build(tmp_path / "nowhere", tmp_path / "c")
    with pytest.raises(missive.InputError):
        zar.build(tree, tmp_path / "c", block_size=5000)
    image = zar.open(tmp_path / "a")
    with pytest.raises(missive.InputError, match="no such entry"):
        image.stat("/nowhere")
