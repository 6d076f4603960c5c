# The serialiser of the cell "sharing": protobuf's lite runtime, as its users link it (real/domains/marshal/records.h).
find_package(Protobuf 3.21 REQUIRED)
set(marshal_dir ${PROJECT_BINARY_DIR}/marshal)
set(marshal_proto ${PROJECT_SOURCE_DIR}/real/domains/marshal/records.proto)
file(MAKE_DIRECTORY ${marshal_dir})
add_custom_command(OUTPUT ${marshal_dir}/records.pb.cc ${marshal_dir}/records.pb.h
  COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR}/real/domains/marshal --cpp_out=${marshal_dir} records.proto
  DEPENDS ${marshal_proto} VERBATIM)
# Not ours to warn about, nor to instrument with what its library was not built with.
add_library(missive_marshal STATIC ${marshal_dir}/records.pb.cc)
target_include_directories(missive_marshal SYSTEM PUBLIC ${marshal_dir})
target_compile_features(missive_marshal PUBLIC cxx_std_20)
target_link_libraries(missive_marshal PUBLIC protobuf::libprotobuf-lite)
target_link_libraries(missive_real PUBLIC missive_marshal)
