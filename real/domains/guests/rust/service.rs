//! The service in safe Rust: the same entries as service.c, byte for byte the same replies.
//!
//! `forbid(unsafe_code)` makes the compiler the wall: no pointer can be made up, every index is
//! checked, no foreign function and no assembler can be named. `no_std` without an allocator takes
//! away what safe code could still use against its host: files, processes, threads and the heap
//! live in `std`, which is not linked. What is left is the caller's two slices and the stack.
#![no_std]
#![forbid(unsafe_code)]

pub mod attack;

/// Runs `entry` (numbers: service.h). Replies -1 as service.c does.
pub fn service(entry: i32, request: &[u8], reply: &mut [u8]) -> i64 {
    let answer = match entry {
        0 => Some(0),
        1 => hash(request, reply),
        2 => sort(request, reply),
        3 => json_scan(request, reply),
        4 => lookup(request, reply),
        5 => walk(request, reply),
        6 => sum(request, reply),
        _ => None,
    };
    answer.map_or(-1, |length| length as i64)
}

fn word(bytes: &[u8], i: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[4 * i..4 * i + 4]);
    u32::from_le_bytes(four)
}

fn set_word(bytes: &mut [u8], i: usize, value: u32) {
    bytes[4 * i..4 * i + 4].copy_from_slice(&value.to_le_bytes());
}

// ---- hash: SHA-256, FIPS 180-4 -----------------------------------------------------------------

#[rustfmt::skip]
const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

fn hash_block(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 64];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for i in 16..64 {
        let (x, y) = (w[i - 15], w[i - 2]);
        let s0 = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
        let s1 = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..64 {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let t1 = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(ROUND[i]).wrapping_add(w[i]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d.wrapping_add(t1);
        d = c;
        c = b;
        b = a;
        a = t1.wrapping_add(t2);
    }
    for (sum, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *sum = sum.wrapping_add(add);
    }
}

fn hash(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let reply = reply.get_mut(..32)?;
    let mut state = [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
        0x5be0cd19,
    ];
    let blocks = request.chunks_exact(64);
    let rest = blocks.remainder();
    for block in blocks {
        hash_block(&mut state, block);
    }
    let mut last = [0u8; 128];
    let padded = if rest.len() < 56 { 64 } else { 128 };
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    last[padded - 8..padded].copy_from_slice(&(request.len() as u64 * 8).to_be_bytes());
    for block in last[..padded].chunks_exact(64) {
        hash_block(&mut state, block);
    }
    for (bytes, word) in reply.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Some(32)
}

// ---- sort --------------------------------------------------------------------------------------

fn swap_words(words: &mut [u8], i: usize, j: usize) {
    let (a, b) = (word(words, i), word(words, j));
    set_word(words, i, b);
    set_word(words, j, a);
}

fn insertion_sort(words: &mut [u8]) {
    for i in 1..words.len() / 4 {
        let value = word(words, i);
        let mut j = i;
        while j > 0 {
            let before = word(words, j - 1);
            if before <= value {
                break;
            }
            set_word(words, j, before);
            j -= 1;
        }
        set_word(words, j, value);
    }
}

fn sift_down(words: &mut [u8], mut root: usize, n: usize) {
    loop {
        let mut child = 2 * root + 1;
        if child >= n {
            return;
        }
        if child + 1 < n && word(words, child) < word(words, child + 1) {
            child += 1;
        }
        if word(words, root) >= word(words, child) {
            return;
        }
        swap_words(words, root, child);
        root = child;
    }
}

fn heap_sort(words: &mut [u8]) {
    let n = words.len() / 4;
    for i in (0..n / 2).rev() {
        sift_down(words, i, n);
    }
    for end in (1..n).rev() {
        swap_words(words, 0, end);
        sift_down(words, 0, end);
    }
}

// Hoare's partition around the median of three: words below the index returned are not larger
// than those from it on, and neither side is empty. At least three words.
fn partition(words: &mut [u8]) -> usize {
    let n = words.len() / 4;
    let middle = (n - 1) / 2;
    if word(words, middle) < word(words, 0) {
        swap_words(words, middle, 0);
    }
    if word(words, n - 1) < word(words, 0) {
        swap_words(words, n - 1, 0);
    }
    if word(words, n - 1) < word(words, middle) {
        swap_words(words, n - 1, middle);
    }
    let pivot = word(words, middle);
    let (mut i, mut j) = (0, n - 1);
    loop {
        while word(words, i) < pivot {
            i += 1;
        }
        while word(words, j) > pivot {
            j -= 1;
        }
        if i >= j {
            return j + 1;
        }
        swap_words(words, i, j);
        i += 1;
        j -= 1;
    }
}

// Introsort (Musser 1997), with the same pending ranges as service.c.
fn sort(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let n = request.len() / 4;
    let reply = reply.get_mut(..4 * n)?;
    reply.copy_from_slice(&request[..4 * n]);
    let mut todo = [(0usize, 0usize, 0i32); 64];
    let (mut depth, mut budget, mut m) = (1, 2, n);
    while m > 1 {
        budget += 2;
        m /= 2;
    }
    todo[0] = (0, n, budget);
    while depth > 0 {
        depth -= 1;
        let (at, count, left) = todo[depth];
        let words = &mut reply[4 * at..4 * (at + count)];
        if count <= 16 {
            insertion_sort(words);
        } else if left == 0 {
            heap_sort(words);
        } else {
            let cut = partition(words);
            let (low, high) = ((at, cut, left - 1), (at + cut, count - cut, left - 1));
            // The larger side goes below the smaller one.
            let pair = if cut > count - cut { [low, high] } else { [high, low] };
            todo[depth] = pair[0];
            todo[depth + 1] = pair[1];
            depth += 2;
        }
    }
    Some(4 * n)
}

// ---- json_scan ---------------------------------------------------------------------------------

fn is_number_part(c: u8) -> bool {
    matches!(c, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
}

// Index just behind the string that opens at `at`; none when it never ends.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut i = at + 1;
    while let Some(&c) = text.get(i) {
        match c {
            b'\\' => i += 2,
            b'"' => return Some(i + 1),
            _ => i += 1,
        }
    }
    None
}

fn json_scan(text: &[u8], reply: &mut [u8]) -> Option<usize> {
    let reply = reply.get_mut(..16)?;
    let (mut strings, mut numbers, mut depth, mut deepest, mut balanced) = (0u32, 0u32, 0u32, 0u32, true);
    let mut kinds = 0u64; // bit 0: the innermost bracket is '['
    let mut at = 0;
    while let Some(&c) = text.get(at) {
        match c {
            b'"' => {
                strings = strings.wrapping_add(1);
                match string_end(text, at) {
                    Some(end) => at = end,
                    None => {
                        balanced = false;
                        break;
                    }
                }
                continue;
            }
            b'-' | b'0'..=b'9' => {
                numbers = numbers.wrapping_add(1);
                while text.get(at).map_or(false, |&c| is_number_part(c)) {
                    at += 1;
                }
                continue;
            }
            b'{' | b'[' => {
                kinds = kinds << 1 | u64::from(c == b'[');
                depth = depth.wrapping_add(1);
                deepest = deepest.max(depth);
                if depth > 64 {
                    balanced = false;
                }
            }
            b'}' | b']' => {
                if depth == 0 || (kinds & 1 == 1) != (c == b']') {
                    balanced = false;
                }
                depth = depth.saturating_sub(1);
                kinds >>= 1;
            }
            _ => {}
        }
        at += 1;
    }
    if depth != 0 {
        balanced = false;
    }
    for (i, value) in [strings, numbers, deepest, u32::from(balanced)].iter().enumerate() {
        set_word(reply, i, *value);
    }
    Some(16)
}

// ---- lookup ------------------------------------------------------------------------------------

// Slot of `key`, or the empty slot where it would be; 0 marks an empty slot.
fn find_slot(table: &[u8], mask: usize, key: u32) -> usize {
    let mut slot = (key.wrapping_mul(2654435769) >> 7) as usize & mask;
    loop {
        let found = word(table, slot);
        if found == 0 || found == key {
            return slot;
        }
        slot = (slot + 1) & mask;
    }
}

fn lookup(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let n = request.len() / 4;
    let keys = n / 2;
    if reply.len() < 8 {
        return None;
    }
    let mut slots = 2;
    while slots * 2 <= reply.len() / 4 {
        slots *= 2;
    }
    if slots <= keys {
        return None;
    }
    while slots / 4 > keys && slots > 2 {
        slots /= 2;
    }
    let table = &mut reply[..4 * slots];
    table.fill(0);
    let (mut found, mut distinct, mut has_zero) = (0u32, 0u32, false);
    for i in 0..keys {
        let key = word(request, i);
        if key == 0 {
            distinct += u32::from(!has_zero);
            has_zero = true;
            continue;
        }
        let slot = find_slot(table, slots - 1, key);
        if word(table, slot) == 0 {
            set_word(table, slot, key);
            distinct += 1;
        }
    }
    for i in keys..n {
        let key = word(request, i);
        found += u32::from(match key {
            0 => has_zero,
            _ => word(table, find_slot(table, slots - 1, key)) == key,
        });
    }
    set_word(reply, 0, found);
    set_word(reply, 1, distinct);
    Some(8)
}

// ---- walk, sum ---------------------------------------------------------------------------------

fn walk(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let n = request.len() / 4;
    if reply.len() < 8 {
        return None;
    }
    let (mut at, mut sum) = (0u32, 0u32);
    for _ in 0..n {
        at = word(request, at as usize);
        if at as usize >= n {
            return None;
        }
        sum = sum.wrapping_add(at);
    }
    set_word(reply, 0, at);
    set_word(reply, 1, sum);
    Some(8)
}

// Eight bytes at a time in four 16-bit lanes, as in service.c: 128 * 2 * 255 < 65536.
fn sum(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    let reply = reply.get_mut(..8)?;
    let mut total = 0u64;
    let words = request.chunks_exact(8);
    let rest = words.remainder();
    for group in request[..request.len() - rest.len()].chunks(8 * 128) {
        let mut lanes = 0u64;
        for bytes in group.chunks_exact(8) {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes);
            let w = u64::from_le_bytes(eight);
            lanes += (w & EVEN) + (w >> 8 & EVEN);
        }
        total += (lanes & 0xffff) + (lanes >> 16 & 0xffff) + (lanes >> 32 & 0xffff) + (lanes >> 48);
    }
    total += rest.iter().map(|&b| u64::from(b)).sum::<u64>();
    reply.copy_from_slice(&total.to_le_bytes());
    Some(8)
}
