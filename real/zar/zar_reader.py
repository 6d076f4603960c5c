"""A second reader of zarfiles, written from docs/zarfile-format.md alone, with the standard library alone.

It shares nothing with the program's own reader, so where the two agree the document is enough. Image(data) checks every
rule and raises Refused; name() computes the image's name; files() gives path -> (kind, mode, mtime, content or target).
"""

import hashlib
import struct

PAGE = 4096
RECORDS = (40, 1, 24, 24, 8, 12, 16, 1)
INDEX, STRINGS, EXTRAS, EXTENTS, ABSENT, RUNS, PIECES, CONTENT = range(8)
FILE, DIRECTORY, SYMLINK = 1, 2, 3
BLOCKS, CDC, STRING_UNITS = 0, 1, 2


class Refused(Exception):
    """The bytes are no zarfile by the rules of the document."""


def need(condition, what):
    if not condition:
        raise Refused(what)


def sha256(data):
    return hashlib.sha256(data).digest()


def power_of_two(n):
    return n > 0 and n & (n - 1) == 0


def good_path(path):
    if path == b"/":
        return True
    if not path.startswith(b"/") or len(path) > 4095 or b"\0" in path:
        return False
    return all(1 <= len(name) <= 255 and name not in (b".", b"..") for name in path[1:].split(b"/"))


def parent(path):
    return path[: path.rindex(b"/")] or b"/"


class Entry:
    def __init__(self, record):
        (self.path_offset, self.path_length, self.kind, self.flags, self.mode, self.extra, self.mtime, self.size,
         self.offset) = struct.unpack("<IHBBIIqQQ", record)
        self.path = b""
        self.in_extents, self.partial = bool(self.flags & 1), bool(self.flags & 2)


class Image:
    def __init__(self, data):
        self.data = data
        self._header()
        self.extras = self._records(EXTRAS, "<IIIIII")
        self.extents = self._records(EXTENTS, "<QQQ")
        self.pieces = self._records(PIECES, "<QQ")
        self._check_pieces()
        self._check_tables()
        self.entries = []
        self.index = {}
        for at in range(0, len(self.section(INDEX)), 40):
            self._entry(Entry(self.section(INDEX)[at : at + 40]))
        need(self.entries, "no entries")
        self._absent()
        self._runs()

    # Sections

    def section(self, which):
        offset, length = self.sections[which]
        return self.data[offset : offset + length]

    def _records(self, which, form):
        return list(struct.iter_unpack(form, self.section(which)))

    def _text(self, offset, length):
        need(offset + length <= self.sections[STRINGS][1], "outside the strings")
        start = self.sections[STRINGS][0] + offset
        return bytes(self.data[start : start + length])

    def _inside(self, which, offset, length):
        start, size = self.sections[which]
        return offset >= start and offset + length <= start + size

    def _header(self):
        data = self.data
        need(len(data) >= 256 and data[:8] == b"MSVZAR\r\n", "magic")
        (version, header, self.length, self.block, self.degree, hash_id, count, features, self.units, self.tree,
         self.packing, self.placement, self.min, self.average, self.max) = struct.unpack_from("<IIQIIIIQBBBBIII", data, 8)
        need(version == 2 and header == 256 and hash_id == 1 and count == 8, "version, header size, hash or sections")
        need(power_of_two(self.block) and 4096 <= self.block <= 1 << 20, "block size")
        need(2 <= self.degree <= 256, "degree")
        need(0 < self.length <= 1 << 40 and self.length % self.block == 0 and self.length == len(data), "length")
        need(features in (0, 1), "features")
        self.shares_pages = features == 1
        need(self.units <= 2 and self.tree <= 1, "units or tree")
        need(self.tree == 0 or (self.units == BLOCKS and self.degree * 32 == self.block), "fs-verity shape")
        if self.units == CDC:
            need(64 <= self.min < self.average < self.max <= 16 << 20 and power_of_two(self.average), "chunk sizes")
        else:
            need(self.min == self.average == self.max == 0, "chunk sizes without chunks")
        self.sections = []
        end = 256
        for i in range(8):
            ident, record, offset, length = struct.unpack_from("<IIQQ", data, 64 + 24 * i)
            need(ident == i + 1 and record == RECORDS[i] and length % record == 0, "section record")
            need(offset >= end and offset + length <= len(data), "section outside the file or over another")
            end = offset + length
            self.sections.append((offset, length))
        self.content_start = self.sections[CONTENT][0]
        need(self.content_start % self.block == 0 and end == len(data), "content is not whole blocks to the end")

    def _check_pieces(self):
        need(self.units != BLOCKS or not self.pieces, "pieces beside blocks")
        end = 0
        for offset, length in self.pieces:
            need(length > 0 and offset >= end and self._inside(CONTENT, offset, length), "piece")
            end = offset + length

    def _check_tables(self):
        for attributes, length, first, count, _link, reserved in self.extras:
            need(reserved == 0 and length <= 65536 and first + count <= len(self.extents), "extra")
            self._attributes(self._text(attributes, length))
        for file_offset, offset, length in self.extents:
            need(length > 0 and file_offset % PAGE == 0 and self._inside(CONTENT, offset, length), "extent")
            need(file_offset + length < 1 << 64, "extent")

    @staticmethod
    def _attributes(data):
        result = []
        while data:
            need(len(data) >= 3, "attribute")
            name_length, value_length = struct.unpack_from("<BH", data)
            need(len(data) >= 3 + name_length + value_length, "attribute")
            name = data[3 : 3 + name_length]
            need(name.startswith(b"user.") and name_length > 5 and b"\0" not in name, "attribute name")
            need(not result or result[-1][0] < name, "attribute order")
            result.append((name, data[3 + name_length : 3 + name_length + value_length]))
            data = data[3 + name_length + value_length :]
        return result

    # Index

    def _entry(self, e):
        e.path = self._text(e.path_offset, e.path_length)
        need(good_path(e.path), "path")
        need(1 <= e.kind <= 3 and e.mode & ~0o1777 == 0 and e.size < 1 << 63, "kind, mode or size")
        need(e.flags & ~3 == 0 and (e.flags == 0 or e.kind == FILE), "flags")
        need(e.extra <= len(self.extras), "extra")
        extra = self.extras[e.extra - 1] if e.extra else (0, 0, 0, 0, 0, 0)
        if e.kind == FILE:
            self._file(e, extra)
        else:
            need(extra[3] == 0 and extra[4] == 0, "extents or links of no file")
            if e.kind == SYMLINK:
                need(1 <= e.size <= 4095 and self._inside(STRINGS, e.offset, e.size), "target")
                need(b"\0" not in self.data[e.offset : e.offset + e.size], "target")
            else:
                need(e.size == 0 and e.offset == 0, "directory with content")
        if not self.entries:
            need(e.path == b"/" and e.kind == DIRECTORY, "root")
        else:
            need(self.entries[-1].path < e.path, "order")
            up = self.index.get(parent(e.path))
            need(up is not None and self.entries[up].kind == DIRECTORY, "parent")
        self.index[e.path] = len(self.entries)
        self.entries.append(e)
        self._link(e, extra)

    def _file(self, e, extra):
        if e.in_extents:
            need(e.offset == 0 and e.extra, "extents")
            end = 0
            for file_offset, offset, length in self.extents[extra[2] : extra[2] + extra[3]]:
                need(file_offset >= end and file_offset + length <= e.size, "extents overlap")
                end = file_offset + length
                self._place(offset, length)
        else:
            need(not e.partial and extra[3] == 0, "partial or extents of a file in one piece")
            if e.size:
                self._place(e.offset, e.size)
            else:
                need(e.offset == 0, "empty file with an offset")

    def _place(self, offset, length):
        need(self._inside(CONTENT, offset, length), "content")
        if self.shares_pages and length < PAGE:
            need(offset % 8 == 0 and offset % PAGE + length <= PAGE, "small content")
        else:
            need(offset % PAGE == 0, "content not on a page")
        if self.units != BLOCKS:
            need(any(o <= offset and offset + length <= o + n for o, n in self.pieces), "content outside pieces")

    def _link(self, e, extra):
        if extra[4] == 0 or e.kind != FILE:
            return
        first, own = extra[4] - 1, len(self.entries) - 1
        need(first <= own, "link")
        if first == own:
            return
        f = self.entries[first]
        need(f.kind == FILE and f.extra and self.extras[f.extra - 1][:5] == extra[:5], "link")
        need((e.mode, e.mtime, e.size, e.offset, e.flags) == (f.mode, f.mtime, f.size, f.offset, f.flags), "link")

    def _absent(self):
        self.absent = []
        for offset, length in self._records(ABSENT, "<II"):
            path = self._text(offset, length)
            need(good_path(path) and path not in self.index, "absent name")
            need(not self.absent or self.absent[-1] < path, "absent order")
            up = self.index.get(parent(path))
            need(up is not None and self.entries[up].kind == DIRECTORY, "absent parent")
            self.absent.append(path)

    def _runs(self):
        self.runs = self._records(RUNS, "<III")
        for entry, first, pages in self.runs:
            need(entry < len(self.entries) and self.entries[entry].kind == FILE, "run of no file")
            need(pages > 0 and first + pages <= -(-self.entries[entry].size // PAGE), "run outside its file")

    # What the image holds

    def content(self, e):
        """A file's bytes; of a partial one a list of (file offset, bytes)."""
        if not e.in_extents:
            return bytes(self.data[e.offset : e.offset + e.size])
        extra = self.extras[e.extra - 1]
        parts = [(f, bytes(self.data[o : o + n])) for f, o, n in self.extents[extra[2] : extra[2] + extra[3]]]
        if e.partial:
            return parts
        whole = bytearray(e.size)
        for file_offset, part in parts:
            whole[file_offset : file_offset + len(part)] = part
        return bytes(whole)

    def files(self):
        result = {}
        for e in self.entries:
            content = None
            if e.kind == FILE:
                content = self.content(e)
            elif e.kind == SYMLINK:
                content = bytes(self.data[e.offset : e.offset + e.size])
            result[e.path] = (e.kind, e.mode, e.mtime, content)
        return result

    # Units, tree and name

    def unit_ranges(self):
        if self.units == BLOCKS:
            return [(at, self.block) for at in range(0, self.length, self.block)]
        ranges = [(at, self.block) for at in range(0, self.content_start, self.block)]
        for offset, length in self.pieces:
            cuts = self._cdc(offset, length) if self.units == CDC else self._whole(length)
            for n in cuts:
                ranges.append((offset, n))
                offset += n
        return ranges

    @staticmethod
    def _whole(length):
        return [min(1 << 30, length - at) for at in range(0, length, 1 << 30)]

    def _cdc(self, offset, length):
        gear = [int.from_bytes(sha256(b"missive-sim/gear/1" + bytes([b]))[:8], "little") for b in range(256)]
        lg = self.average.bit_length() - 1
        cuts, n, h = [], 0, 0
        for b in self.data[offset : offset + length]:
            n += 1
            if n <= self.min:
                continue
            h = (2 * h + gear[b]) % (1 << 64)
            bits = lg + 2 if n <= self.average else lg - 2
            if h >> (64 - bits) == 0 or n == self.max:
                cuts.append(n)
                n, h = 0, 0
        return cuts + [n] if n else cuts

    def name(self):
        ranges = self.unit_ranges()
        leaves, end = [], 0
        for offset, n in ranges:
            need(not any(self.data[end:offset]), "bytes of no unit are not zero")
            leaf = sha256(self.data[offset : offset + n])
            if self.units != BLOCKS:
                leaf = sha256(b"\x02" + struct.pack("<II", offset - end, n) + leaf)
            leaves.append(leaf)
            end = offset + n
        need(not any(self.data[end:]), "bytes of no unit are not zero")
        root = self._root(leaves)
        if self.tree == 1:
            descriptor = bytes([1, 1, self.block.bit_length() - 1, 0]) + bytes(4) + struct.pack("<Q", self.length) + root
            return sha256(descriptor.ljust(256, b"\0"))
        return sha256(b"missive-sim/image/2" + struct.pack("<QQQQBBB", self.length, self.block, self.degree, len(leaves),
                                                           1, self.units, self.tree) + root)

    def _root(self, level):
        height = 0
        while len(level) > 1:
            height += 1
            groups = [b"".join(level[i : i + self.degree]) for i in range(0, len(level), self.degree)]
            if self.tree == 1:
                level = [sha256(g.ljust(self.block, b"\0")) for g in groups]
            else:
                level = [sha256(bytes([1, height]) + g) for g in groups]
        return level[0]
