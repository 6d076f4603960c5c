#pragma once
// What a program must not contain to be run behind a key (Vahldiek-Oberwagner et al., ERIM, USENIX
// Security 2019): a byte sequence that is an instruction which writes PKRU or the base of GS,
// wherever it begins, for a jump may lead into the middle of another one.

#include <cstddef>
#include <span>
#include <string>

namespace missive::domains::pkey {

// Throws InputError, one line that begins with `name` and says what is where.
void refuse_escapes(std::span<const std::byte> image, const std::string& name);

}  // namespace missive::domains::pkey
