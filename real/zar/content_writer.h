#pragma once
// Writes an image's bytes into its file and hashes them on the way, on several threads. Internal to
// the builder.
//
// The image is divided into jobs. A job reads its files into a buffer of 1 MiB (which stays in the
// second-level cache), hashes the units in it and writes it with one call at its offset; zeros are
// not written, the file has holes there. Nothing depends on which thread does what.

#include <cstdint>
#include <vector>

#include "real/zar/output_file.h"
#include "real/zar/plan.h"

namespace missive::zar {

// Leaves (and cuts, unless the units are blocks) of the whole image. Throws as build() does.
Recipe write_image(const Tree& tree, const BuildOptions& options, const Plan& plan,
                   OutputFile& out);

// SHA-256 of each item: its members at their places, zeros between.
std::vector<Digest> item_digests(const Tree& tree, const BuildOptions& options, const Plan& plan);

}  // namespace missive::zar
