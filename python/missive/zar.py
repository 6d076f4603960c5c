"""Zarfiles: what is in an image, which of its blocks another one has, and building one.

The format is in the project's docs/zarfile-format.md. Sizes and offsets are bytes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from missive import _missive
from missive.errors import InputError

if TYPE_CHECKING:
    import pandas

__all__ = ["Entry", "Run", "Image", "Comparison", "Report", "open", "build", "compare"]


class Entry(NamedTuple):
    """One file, directory or symbolic link of an image."""

    path: str
    """Absolute within the image: "/usr/bin/gnumeric"."""
    kind: str
    """"file", "directory" or "symlink"."""
    mode: int
    mtime_ns: int
    size: int
    """Bytes of content; of a symbolic link, of its target."""
    offset: int
    """Of the content in the image; 0 where there is none."""


class Run(NamedTuple):
    """Pages the recorded start needed, in the order it needed them."""

    path: str
    first_page: int
    pages: int


class Image:
    """A zarfile in memory, its index checked. :func:`open` makes one."""

    def __init__(self, native: _missive.ZarFile, path: str) -> None:
        self._native = native
        self.path = path
        self.length: int = native.length
        """Bytes of the file; a multiple of ``block_size``."""
        self.block_size: int = native.block_size
        self.degree: int = native.degree
        """Children of a node of the Merkle tree."""

    @property
    def name(self) -> str:
        """SHA-256 over the Merkle tree, hexadecimal: what a boot block signs."""
        return self._native.name()

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.length // self.block_size

    def entries(self) -> list[Entry]:
        """Every entry, by path."""
        return [Entry(*e) for e in self._native.entries()]

    def frame(self) -> pandas.DataFrame:
        """:meth:`entries` as a frame, one row each."""
        import pandas

        return pandas.DataFrame(self._native.entries(), columns=list(Entry._fields))

    def stat(self, path: str) -> Entry:
        """The entry of that path; InputError when there is none. Links are not followed."""
        return Entry(*self._native.stat(path))

    def content(self, path: str) -> npt.NDArray[np.uint8]:
        """A file's bytes (a link's target), uint8 of shape (size,): a read-only view, no copy."""
        return self._native.content(path)

    def read(self, path: str) -> bytes:
        """A file's bytes, copied."""
        return self.content(path).tobytes()

    def data(self) -> npt.NDArray[np.uint8]:
        """The whole image, uint8 of shape (length,): a read-only view."""
        return self._native.data()

    def launch_runs(self) -> list[Run]:
        """Page runs of the recorded start, in its order."""
        return [Run(*r) for r in self._native.launch_runs()]

    def block_hashes(self) -> npt.NDArray[np.uint8]:
        """SHA-256 of every block, uint8 of shape (blocks, 32); computed on first use."""
        return self._native.block_hashes()

    def blocks_of(self, path: str) -> range:
        """Blocks that a file's content lies in."""
        entry = self.stat(path)
        if entry.size == 0 or entry.kind == "directory":
            return range(0)
        return range(entry.offset // self.block_size, (entry.offset + entry.size - 1) // self.block_size + 1)

    def __repr__(self) -> str:
        return f"<missive.zar.Image {self.path}: {self.length} bytes, {self.blocks} blocks>"


def open(path: str | os.PathLike[str]) -> Image:
    """Reads an image. Every offset, length and name of its index is checked before this returns;
    InputError says what is wrong where. Its hashes are not compared with anything: see ``name``."""
    text = os.fspath(path)
    return Image(_missive.ZarFile(text), text)


class Report(NamedTuple):
    """What went into an image."""

    name: str
    length: int
    blocks: int
    files: int
    directories: int
    symlinks: int
    content: int
    metadata: int
    padding: int
    missing: list[str]
    """Selected paths that lead to no regular file."""


def build(
    tree: str | os.PathLike[str],
    image: str | os.PathLike[str],
    *,
    block_size: int = 65536,
    degree: int = 128,
    packing: str = "path",
    placement: str = "in-order",
    files: Sequence[str] = (),
) -> Report:
    """Packs a directory tree into an image, atomically; the same tree gives the same bytes.

    block_size        bytes, a power of two from 4 KiB to 1 MiB
    degree            children of a node of the Merkle tree, 2 to 256
    packing           how small files share blocks: as of ``missive-sim zar build --packing``
    placement         where content goes in the image: as of ``--placement``
    files             absolute paths within the tree; empty for every regular file
    """
    report = _missive.zar_build(
        os.fspath(tree), os.fspath(image), block_size, degree, packing, placement, list(files)
    )
    return Report(**report)


class Comparison(NamedTuple):
    """How much of image ``b`` somebody has who has image ``a``, by whole blocks."""

    block_size: int
    distinct_a: int
    distinct_b: int
    shared: int
    """Distinct blocks that both have."""
    in_a: npt.NDArray[np.bool_]
    """For every block of ``b``, shape (b.blocks,): whether ``a`` has it."""

    @property
    def missing(self) -> int:
        """Distinct blocks of ``b`` that are to be fetched."""
        return self.distinct_b - self.shared

    @property
    def missing_bytes(self) -> int:
        """The same in bytes."""
        return self.missing * self.block_size

    @property
    def commonality(self) -> float:
        """Share of ``b``'s distinct blocks that ``a`` has, 0 to 1."""
        return self.shared / self.distinct_b if self.distinct_b else 0.0


def compare(a: Image, b: Image) -> Comparison:
    """Compares two images block by block. Their block sizes must be equal."""
    if a.block_size != b.block_size:
        raise InputError(
            f"{a.path} has blocks of {a.block_size} bytes, {b.path} of {b.block_size}; "
            "build both with one block size"
        )
    # A digest as one value of 32 bytes, so that sets of them can be compared.
    one = np.dtype((np.void, 32))
    first = np.unique(a.block_hashes().view(one).reshape(-1))
    all_b = b.block_hashes().view(one).reshape(-1)
    second = np.unique(all_b)
    return Comparison(
        block_size=a.block_size,
        distinct_a=len(first),
        distinct_b=len(second),
        shared=int(np.isin(second, first, assume_unique=True).sum()),
        in_a=np.isin(all_b, first),
    )
