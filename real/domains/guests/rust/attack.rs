//! The hostile guest, as far as safe Rust can write it (numbers and arguments: attack.h). What it
//! cannot write at all it answers with "not applicable": the compiler is what contained it.

const NOT_APPLICABLE: &[u8] = b"not applicable";

fn argument(bytes: &[u8], index: usize) -> u64 {
    bytes.chunks_exact(8).nth(index).map_or(0, |eight| {
        let mut word = [0; 8];
        word.copy_from_slice(eight);
        u64::from_le_bytes(word)
    })
}

// Each turn keeps its frame alive for the next, at an index that is not known beforehand.
#[inline(never)]
fn recurse(depth: u64, outer: &[u8; 1024]) -> u64 {
    let mut frame = [0u8; 1024];
    let at = (depth % 1024) as usize;
    frame[at] = outer[(at + 1) % 1024].wrapping_add(1);
    if depth == 0 {
        return u64::from(frame[at]);
    }
    recurse(depth - 1, &frame).wrapping_add(u64::from(frame[at]))
}

fn spin() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

pub fn attack(number: i32, request: &[u8], reply: &mut [u8]) -> i64 {
    let first = argument(request, 0) as usize;
    match number {
        100 => {
            // wild read: the nearest safe code has is an index into what it was given
            reply[0] = request[first];
            1
        }
        101 => {
            // wild write
            reply[first] = argument(request, 1) as u8;
            0
        }
        103 => {
            let depth = recurse(argument(request, 0), &[0; 1024]);
            match reply.get_mut(..8) {
                Some(room) => {
                    room.copy_from_slice(&depth.to_le_bytes());
                    8
                }
                None => 0,
            }
        }
        104 | 111 => spin(),
        110 => panic!("told to crash"),
        112 => reply.len() as i64 + (1 << 30),
        // Wild jumps, the heap, system calls and writing to a request: no safe code does any.
        102 | 105..=109 => match reply.get_mut(..NOT_APPLICABLE.len()) {
            Some(room) => {
                room.copy_from_slice(NOT_APPLICABLE);
                NOT_APPLICABLE.len() as i64
            }
            None => -2,
        },
        _ => -1,
    }
}
