//! The bridge between C++ and the service in safe Rust: the only unsafe code, and all of it.
//!
//! A panic does not unwind: the handler below leaves by the host's own way out (trap.h). Unwinding
//! would need `std`, take locks and memory on its way, and cost microseconds; the service owns
//! nothing that a destructor would have to give back.
#![no_std]

use core::panic::PanicInfo;
use core::slice;

extern "C" {
    fn missive_rust_panic(line: u32) -> !;
}

#[panic_handler]
fn panicked(info: &PanicInfo) -> ! {
    let line = info.location().map_or(0, |l| l.line());
    unsafe { missive_rust_panic(line) }
}

/// As missive_guest() in service.h.
///
/// # Safety
/// `request` and `reply` point to that many bytes, which do not overlap, or are null and empty.
#[no_mangle]
pub unsafe extern "C" fn missive_rust_guest(
    entry: i32,
    request: *const u8,
    size: usize,
    reply: *mut u8,
    capacity: usize,
) -> i64 {
    let request = if size == 0 { &[][..] } else { slice::from_raw_parts(request, size) };
    let reply = if capacity == 0 { &mut [][..] } else { slice::from_raw_parts_mut(reply, capacity) };
    if entry < 100 {
        missive_service::service(entry, request, reply)
    } else {
        missive_service::attack::attack(entry, request, reply)
    }
}
