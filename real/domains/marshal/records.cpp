#include "real/domains/marshal/records.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <records.pb.h>

#include "real/domains/service/service.h"

namespace missive::domains {

struct Marshaller::State {
  marshal::Records records;
  std::vector<std::byte> buffer;
  std::span<const std::byte> serialise() {
    const std::size_t size = records.ByteSizeLong();
    if (buffer.size() < size) buffer.resize(size);
    records.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(buffer.data()));
    return std::span(buffer).first(size);
  }
};

namespace {

FlatRecord row_at(std::span<const std::byte> rows, std::size_t i) {
  FlatRecord row;
  std::memcpy(&row, rows.data() + i * sizeof row, sizeof row);
  return row;
}

marshal::Record& add_numbers(marshal::Records& records, const FlatRecord& row) {
  marshal::Record& record = *records.add_records();
  record.set_key(row.key);
  for (const std::uint32_t counter : row.counters) record.add_counters(counter);
  return record;
}

std::uint64_t sum_of(const void* at, std::size_t size) {
  std::uint64_t sum = 0;
  missive_service(6, static_cast<const std::uint8_t*>(at), size,
                  reinterpret_cast<std::uint8_t*>(&sum), sizeof sum);
  return sum;
}

}  // namespace

Marshaller::Marshaller() : state_(std::make_unique<State>()) {}
Marshaller::~Marshaller() = default;

std::span<const std::byte> Marshaller::encode(std::span<const std::byte> rows) {
  state_->records.Clear();
  for (std::size_t i = 0; i < rows.size() / sizeof(FlatRecord); ++i) {
    const FlatRecord row = row_at(rows, i);
    add_numbers(state_->records, row).set_text(row.text, sizeof row.text);
  }
  return state_->serialise();
}

std::span<const std::byte> Marshaller::encode(std::span<const std::byte> rows,
                                              std::size_t text_bytes) {
  state_->records.Clear();
  for (std::size_t i = 0; i < rows.size() / sizeof(FlatRecord); ++i) {
    const FlatRecord row = row_at(rows, i);
    add_numbers(state_->records, row)
        .mutable_text()
        ->assign(std::min(text_bytes, FlatRecord::kMostText), row.text[0]);
  }
  return state_->serialise();
}

std::int64_t parse_and_sum(std::span<const std::byte> message) {
  marshal::Records records;
  if (!records.ParseFromArray(message.data(), static_cast<int>(message.size()))) return -1;
  std::uint64_t sum = 0;
  for (const marshal::Record& record : records.records()) {
    const std::uint64_t key = record.key();
    sum += sum_of(&key, sizeof key);
    sum += sum_of(record.counters().data(),
                  static_cast<std::size_t>(record.counters_size()) * sizeof(std::uint32_t));
    sum += sum_of(record.text().data(), record.text().size());
  }
  return static_cast<std::int64_t>(sum);
}

}  // namespace missive::domains
