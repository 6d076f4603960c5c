#pragma once
// page.html, page.css and page.js of this folder, part of the program (page.cpp.in, filled in by
// CMakeLists.txt).

namespace missive::harness {

extern const char* const kPageHtml;
extern const char* const kPageCss;
extern const char* const kPageJs;
extern const char* const kPageVersion;

}  // namespace missive::harness
