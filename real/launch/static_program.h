#pragma once
// A static program in an image, as something to be mapped from there: which pages of the image's
// memory file belong where (load_plan.h). Static means what the kernel can run without another
// program: ET_EXEC, or ET_DYN without PT_INTERP (a static PIE), 64 bits, x86-64. elf(5).

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "real/launch/load_plan.h"
#include "real/zar/image.h"

namespace missive::launch {

// The program's `file`, which lies at `offset` of the image. Promised of the plan: parts ascend, no
// page is in two of them, none is writable and executable, each part's pages from the image hold a
// byte of the file, and the entry point is in executable ones. Throws InputError, one line that
// begins with `name`: not such a program, or damaged.
LoadPlan plan_static_program(std::span<const std::byte> file, std::uint64_t offset,
                             const std::string& name);

// The first of `paths` (execvp(3)'s candidates) that the image has, links followed. Of its content
// nothing is read before `look_at`, when given, has returned for [offset, offset + length) of the
// image. Throws InputError: none is there, it is not an executable file, does not lie in whole
// pages of its own, or the above; and what `look_at` throws.
using LookAt = std::function<void(std::uint64_t offset, std::uint64_t length)>;
LoadPlan plan_static_program(const zar::Image& image, const std::vector<std::string>& paths,
                             const LookAt& look_at = nullptr);

}  // namespace missive::launch
