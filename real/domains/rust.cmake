# The safe-Rust domain: a crate without unsafe code, and the shim that C++ calls. Plain rustc (1.63 or later), no cargo, no
# network. Neither links Rust's standard library.
find_program(MISSIVE_RUSTC rustc)
if(NOT MISSIVE_RUSTC)
  return()
endif()

set(rust_sources ${PROJECT_SOURCE_DIR}/real/domains/guests/rust)
set(rust_out ${PROJECT_BINARY_DIR}/guests/rust)
file(MAKE_DIRECTORY ${rust_out})
set(rust_options --edition=2021 -C opt-level=2 -C panic=abort -C codegen-units=1 -C overflow-checks=off
                 -C debug-assertions=off -C relocation-model=pic)
add_custom_command(OUTPUT ${rust_out}/libmissive_service.rlib
  COMMAND ${MISSIVE_RUSTC} ${rust_options} --crate-type=rlib --crate-name=missive_service
          ${rust_sources}/service.rs -o ${rust_out}/libmissive_service.rlib
  DEPENDS ${rust_sources}/service.rs ${rust_sources}/attack.rs COMMENT "Compiling the service in safe Rust" VERBATIM)
add_custom_command(OUTPUT ${rust_out}/libmissive_rust.a
  COMMAND ${MISSIVE_RUSTC} ${rust_options} -C lto=fat --crate-type=staticlib --crate-name=missive_rust
          --extern missive_service=${rust_out}/libmissive_service.rlib
          ${rust_sources}/shim.rs -o ${rust_out}/libmissive_rust.a
  DEPENDS ${rust_sources}/shim.rs ${rust_out}/libmissive_service.rlib VERBATIM)
add_custom_target(missive_rust_guest DEPENDS ${rust_out}/libmissive_rust.a)
add_dependencies(missive_real missive_rust_guest)
target_link_libraries(missive_real PUBLIC ${rust_out}/libmissive_rust.a)
set_source_files_properties(${PROJECT_SOURCE_DIR}/real/domains/rust.cpp PROPERTIES COMPILE_DEFINITIONS MISSIVE_WITH_RUST)
