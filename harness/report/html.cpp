#include "harness/report/html.h"

#include <stdexcept>

namespace missive::harness {
namespace {

// Bytes of the UTF-8 sequence that begins at `text`, 0 when it is none (RFC 3629).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  const unsigned char second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
    return 0;
  return length;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    case '\n':
    case '\t':
      out += c;
      break;
    default:
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (length == 1) {
      append_escaped(out, text.front());
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string json_for_script(const Json& json) {
  std::string out;
  for (const char c : json.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

std::string fill_template(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string out;
  for (;;) {
    const std::size_t open = text.find("{{");
    out += text.substr(0, open);
    if (open == std::string_view::npos) return out;
    text.remove_prefix(open);
    const bool raw = text.starts_with("{{{");
    const std::string_view closing = raw ? "}}}" : "}}";
    const std::size_t close = text.find(closing);
    if (close == std::string_view::npos) throw std::logic_error("template: '{{' without end");
    const std::string name(text.substr(closing.size(), close - closing.size()));
    const auto value = values.find(name);
    if (value == values.end()) throw std::logic_error("template: no value for " + name);
    out += raw ? value->second : html_escape(value->second);
    text.remove_prefix(close + closing.size());
  }
}

HtmlTable::HtmlTable(std::string caption, std::vector<std::string> header, std::size_t left)
    : caption_(std::move(caption)), header_(std::move(header)), left_(left) {}

void HtmlTable::add(const std::vector<std::string>& cells, std::string_view row_class) {
  rows_ += row_class.empty() ? "<tr>" : "<tr class=\"" + html_escape(row_class) + "\">";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool head = i == 0;
    rows_ += head ? "<th scope=\"row\">" : i < left_ ? "<td>" : "<td class=\"n\">";
    rows_ += html_escape(cells[i]);
    rows_ += head ? "</th>" : "</td>";
  }
  rows_ += "</tr>\n";
}

std::string HtmlTable::html() const {
  std::string out = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
                    html_escape(caption_) + "\"><table><caption>" + html_escape(caption_) +
                    "</caption>\n<thead><tr>";
  for (std::size_t i = 0; i < header_.size(); ++i)
    out += (i < left_ ? "<th scope=\"col\">" : "<th scope=\"col\" class=\"n\">") +
           html_escape(header_[i]) + "</th>";
  return out + "</tr></thead>\n<tbody>\n" + rows_ + "</tbody></table></div>\n";
}

}  // namespace missive::harness
