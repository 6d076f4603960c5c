#include "harness/json_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace missive::harness {
namespace {

std::string last_part_removed(const std::string& pointer) {
  const auto slash = pointer.rfind('/');
  return slash == std::string::npos ? std::string{} : pointer.substr(0, slash);
}

// Turns a byte offset into line and column. Offsets must not decrease from call to call.
class LineCounter {
 public:
  explicit LineCounter(const std::string& text) : text_(text) {}
  Position at(std::size_t offset) {
    for (; next_ < offset && next_ < text_.size(); ++next_) {
      const auto byte = static_cast<unsigned char>(text_[next_]);
      if (byte == '\n') {
        ++position_.line;
        position_.column = 1;
      } else if ((byte & 0xC0U) != 0x80U) {  // continuation bytes of UTF-8 take no column
        ++position_.column;
      }
    }
    return position_;
  }

 private:
  const std::string& text_;
  std::size_t next_ = 0;
  Position position_{1, 1};
};

// Says for a syntax error what people usually did. `message` is the parser's own.
std::string syntax_message(const std::string& text, std::size_t offset, std::string message) {
  if (const auto colon = message.find(": "); colon != std::string::npos)
    message = message.substr(colon + 2);
  for (char& c : message)
    if (c == '\n') c = ' ';
  const char found = offset < text.size() ? text[offset] : '\0';
  const auto end = text.find_last_not_of(" \t\r\n");
  const auto starts = [&](std::string_view word) {
    const std::size_t first = offset >= 2 ? offset - 2 : 0;
    return text.substr(first, 12).find(word) != std::string::npos;
  };
  if (end == std::string::npos || offset > end)
    return "the file ends in the middle of the document; is it truncated?";
  if (found == '}' || found == ']')
    return std::string("unexpected '") + found +
           "'; a comma before it, or a value that is missing?";
  if (starts("NaN") || starts("nan") || starts("Inf"))
    return "JSON has no NaN or Infinity; write a finite number";
  if (found == '/' || starts("//") || starts("/*"))
    return "strict JSON has no comments; name the file *.jsonc to have them";
  if (found == '\'' || starts("'")) return "strings and keys are written in double quotes";
  return message + "; write strict JSON";
}

}  // namespace

std::string child(const std::string& pointer, std::string_view key) {
  std::string escaped = pointer + "/";
  for (const char c : key) {
    if (c == '~')
      escaped += "~0";
    else if (c == '/')
      escaped += "~1";
    else
      escaped += c;
  }
  return escaped;
}

std::string child(const std::string& pointer, std::size_t index) {
  return fmt::format("{}/{}", pointer, index);
}

// Receives the parser's events and builds the document. The events carry no offsets, but they come
// in the order of the text and only for tokens that are well-formed; a cursor that skips white
// space and punctuation to the next token start therefore finds where each one stands.
class PositionedBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit PositionedBuilder(JsonSource& source)
      : source_(source), lines_(source.text_), error_lines_(source.text_) {}

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool key(string_t& value) override {
    Level& level = stack_.back();
    level.pointer = child(level.base, value);
    const Position position = next_token();
    const auto [known, is_new] = source_.keys_.try_emplace(level.pointer, position);
    if (is_new) {
      // Not operator[]: the ordered map would search all keys, quadratic in a hostile file.
      auto& members = level.container->get_ref<Json::object_t&>();
      members.emplace_back(value, nullptr);
      level.slot = &members.back().second;
    } else {
      report(position, level.pointer,
             fmt::format("duplicate key, first given in line {}; remove one of the two",
                         known->second.line));
      level.pointer += fmt::format("#{}", discarded_.size());  // its members are not duplicates
      level.slot = &discarded_.emplace_back();
    }
    return true;
  }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    // `position` counts the characters read, the offending one included.
    const std::size_t offset = position > 0 ? position - 1 : 0;
    report(error_lines_.at(offset), {}, syntax_message(source_.text_, offset, error.what()));
    return false;
  }

  std::vector<Diagnostic> diagnostics;

 private:
  struct Level {
    Json* container;
    Json* slot;           // where the next value of an object goes
    std::string base;     // pointer of the container
    std::string pointer;  // pointer of the next value
    std::size_t next = 0;
  };

  void report(Position position, std::string pointer, std::string message) {
    diagnostics.push_back(
        {source_.name_, position.line, position.column, std::move(pointer), std::move(message)});
  }

  // Stores a value that begins at the cursor; gives its place in the document and its pointer.
  std::pair<Json*, std::string> place(Json value) {
    const Position position = next_token();
    Json* slot = &source_.document_;
    std::string pointer;
    if (!stack_.empty()) {
      Level& level = stack_.back();
      if (level.container->is_array()) {
        pointer = child(level.base, level.next++);
        level.container->push_back(nullptr);
        slot = &level.container->back();
      } else {
        pointer = level.pointer;
        slot = level.slot;
      }
    }
    *slot = std::move(value);
    source_.values_[pointer] = position;
    return {slot, pointer};
  }

  bool scalar(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json container) {
    auto [slot, pointer] = place(std::move(container));
    if (stack_.size() >= kMaxDepth) {
      report(source_.values_[pointer], {},
             fmt::format("more than {} levels of nesting; flatten it", kMaxDepth));
      return false;
    }
    stack_.push_back({slot, nullptr, pointer, {}, 0});
    return true;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  // Moves the cursor to the next token that is a key, a value or an opening bracket, says where it
  // begins and steps over it.
  Position next_token() {
    skip_to_token();
    const Position begin = lines_.at(cursor_);
    const std::string& text = source_.text_;
    if (cursor_ >= text.size()) return begin;
    if (text[cursor_] == '"') {
      for (++cursor_; cursor_ < text.size() && text[cursor_] != '"'; ++cursor_)
        if (text[cursor_] == '\\') ++cursor_;
      ++cursor_;
    } else if (text[cursor_] == '{' || text[cursor_] == '[') {
      ++cursor_;
    } else {
      cursor_ = std::min(text.find_first_of(" \t\r\n,]}/", cursor_), text.size());
    }
    return begin;
  }

  void skip_to_token() {
    const std::string& text = source_.text_;
    if (cursor_ == 0 && text.starts_with("\xEF\xBB\xBF")) cursor_ = 3;
    for (;;) {
      cursor_ = std::min(text.find_first_not_of(" \t\r\n,:]}", cursor_), text.size());
      if (text.compare(cursor_, 2, "//") == 0)
        cursor_ = std::min(text.find('\n', cursor_), text.size());
      else if (text.compare(cursor_, 2, "/*") == 0)
        cursor_ = std::min(text.find("*/", cursor_ + 2), text.size() - 2) + 2;
      else
        return;
    }
  }

  JsonSource& source_;
  LineCounter lines_, error_lines_;
  std::size_t cursor_ = 0;
  std::vector<Level> stack_;
  std::deque<Json> discarded_;  // values of duplicate keys
};

JsonSource JsonSource::parse(std::string text, const std::string& name, bool comments) {
  JsonSource source;
  source.name_ = name;
  source.text_ = std::move(text);
  if (source.text_.find_first_not_of(" \t\r\n") == std::string::npos)
    throw InputErrors({{name, 1, 1, {}, "the file is empty; it must hold one JSON object"}});
  PositionedBuilder builder(source);
  const bool complete = Json::sax_parse(source.text_, &builder, Json::input_format_t::json,
                                        /*strict=*/true, comments);
  if (!complete || !builder.diagnostics.empty()) throw InputErrors(std::move(builder.diagnostics));
  return source;
}

JsonSource JsonSource::read(const std::filesystem::path& file) {
  std::error_code error;
  const auto refuse = [&](const std::string& what) {
    throw InputErrors({{file.string(), 0, 0, {}, what}});
  };
  if (std::filesystem::is_directory(file, error)) refuse("is a directory; name a file in it");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    refuse(fmt::format("cannot be opened: {}; check the name and its permissions",
                       std::strerror(errno != 0 ? errno : EIO)));
  std::string text(kMaxBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) refuse("cannot be read to its end");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxBytes)
    refuse(fmt::format("is larger than {} MiB; is it the right file?", kMaxBytes >> 20U));
  return parse(std::move(text), file.string(), file.extension() == ".jsonc");
}

Position JsonSource::value_at(const std::string& pointer) const {
  for (std::string p = pointer;; p = last_part_removed(p)) {
    if (const auto found = values_.find(p); found != values_.end()) return found->second;
    if (p.empty()) return {1, 1};
  }
}

Position JsonSource::key_at(const std::string& pointer) const {
  const auto found = keys_.find(pointer);
  return found != keys_.end() ? found->second : value_at(pointer);
}

Diagnostic JsonSource::at_value(const std::string& pointer, std::string message) const {
  const Position position = value_at(pointer);
  return {name_, position.line, position.column, pointer, std::move(message)};
}

Diagnostic JsonSource::at_key(const std::string& pointer, std::string message) const {
  const Position position = key_at(pointer);
  return {name_, position.line, position.column, pointer, std::move(message)};
}

}  // namespace missive::harness
