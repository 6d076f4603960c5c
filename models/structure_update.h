#pragma once
// What of an image another one lacks, after an update. Both are laid out (structure_layout.h), so
// what files move each other by is exact; what is not known from a manifest is which pages of a
// changed file are as they were. That is taken from how files of *other* applications changed:
//
//   * A rebuilt library of the same size is either stamped (its build id in the first page, a check
//     sum in the last one) or compiled anew, most of it. Nothing about its size says which, but its
//     build does: a source package is built anew because something in it was mended. Where a file
//     is all that this build changed here, the mending is in it, and it was compiled anew; of
//     several it may be in any, and the others are stamped. Debian says which files are of one
//     build: all have the time of its changelog's last entry (EditKind).
//   * One of another size is new behind the first byte that moved. But segments of a program begin
//     at pages: where what lies in front of one grew by whole pages, its own may be as they were,
//     moved. Of those that are neither kept nor zeros that is one in sixty. Blocks of a page find
//     them in the older image, larger ones only when they move by whole blocks.
//
// Each changed file therefore takes the damage of one that changed elsewhere, of like size and
// drawn again for every draw; so damage keeps its clusters and its all-or-nothing. Draws are a
// Latin hypercube (McKay, Beckman and Conover, Technometrics 21, 1979): each file has each damage
// that it may have equally often, or a file that decides alone would move the mean by luck.
// But those it may have are a sample, and a small one: of other builds that were mended, the
// damage would be other. So the interval is of draws in each of which every build that was learnt
// from has a weight of its own (Rubin's Bayesian bootstrap, Annals of Statistics 9, 1981). Builds
// have weights, not files: all modules of one package were mended, or stamped, together.
// Whatever also changed in the application itself must not be drawn from: that would be the answer.
// Where the very same change of the very same file was seen in another application, its damage is
// that (seen_changes()); who predicts from strangers alone leaves such profiles out (of_others()).
//
// Pages that are equal. Let an unchanged file lie g pages further back than before, behind files
// that grew, and let it have a stretch of z pages of zeros. Then z - g of these pages (none, if
// z < g) lie where zeros lay, and a block of p pages finds itself in place wherever all of its
// pages do: at max(0, z - g - p + 1) pages, of which one in p is the first of a block; pages that
// are known by file and number alone would find none. Nothing of that is chance once it is known
// which pages of the older image are equal, and its holder knows that before any update: from its
// recipe in blocks of a page, or by hashing what he has. So nothing is added to the draws: keys of
// pages that survived are the digests of their bytes (HeldPages), and counting keys counts bytes.
// Of pages that are new two things are known:
//
//   * Zeros stay zeros whatever is compiled anew. They are tables that a program fills when it
//     runs, in the data behind the code, so they keep their distance from the end of a file that
//     changes its size. Debian's security updates agree: of libgs 2,516 of 2,516 pages of zeros
//     (5,421 in all), of libraw 63 of 63, of python3.11, six pages shorter, 48 of 50 (from its
//     beginning: 40). So they are no damage, and profiles are of the other pages.
//   * Twins stay twins. A module that is built into two packages (Perl's re.so) differs in a few
//     pages, before an update and after it. Where old pages were equal the new ones that replace
//     them are, by distance from the end, and files with the same page in the middle draw the same
//     damage.
//
// Otherwise a new page is equal to no other.
//
// Told what was counted at one block size, the model knows more of the damage than any manifest
// says: of many draws those count that come nearest to it (draws_near()). That is a conditional
// distribution by rejection (Tavare et al., Genetics 145, 1997): damage is a property of files, not
// of blocks, so what is likely at one block size is at others. Draws that agree at one block size
// agree at others more than real updates do, since the pattern of a file's damage is that of one
// of few others: that error is not in the draws, and has to be added from without (widened()).

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "models/structure.h"

namespace missive {

// A changed file of the same size, one that is the only one of its build (of its pages nine tenths
// or more, for logs of changes and the like come with it), or one of another size.
enum class EditKind { same, alone, resized };
// Of the changed files of an image, by FileFact::content; those below a page are none.
std::unordered_map<std::uint64_t, EditKind> edit_kinds(const StructureFacts& to);

// How one file changed: which of its pages the older one has at the same place, and which at
// another. Pages that are to be zeros (zeros_after()) are left out.
struct EditProfile {
  std::uint64_t content = 0, old_content = 0;  // FileFact::content of the newer and of the older
  EditKind kind = EditKind::same;
  std::uint64_t build = 0;  // FileFact::build
  std::vector<bool> kept;   // of a page or more
  // By how many pages further back the older file has a page; 0: nowhere else. Empty: all 0.
  std::vector<std::int32_t> moved = {};
};

// What is known beside manifests and other updates.
struct UpdateKnowledge {
  const ContentHashes* hashes = nullptr;  // nothing: drawn
  const HeldPages* held = nullptr;        // of `from`; nothing: no two pages are equal
  std::vector<std::uint64_t> draws;       // numbers of the draws of damage; none: the first ones
};

// Network and copied bytes of `to` for a client that holds `from`, both in the design. Nothing
// where a design is not laid out. Without profiles no page of a changed file survives.
struct UpdatePrediction {
  std::optional<Predicted> network, copied;
};
UpdatePrediction predict_update(const StructureFacts& from, const StructureFacts& to,
                                const StructureDesign& design,
                                const std::vector<EditProfile>& profiles,
                                const UpdateKnowledge& known = {});

// Of twenty times as many draws of damage as predict_update() makes, the numbers of those whose
// network bytes, in this design, are nearest to those counted. Empty where nothing is drawn, or the
// design is not laid out.
std::vector<std::uint64_t> draws_near(double network, const StructureFacts& from,
                                      const StructureFacts& to, const StructureDesign& design,
                                      const std::vector<EditProfile>& profiles,
                                      const UpdateKnowledge& known = {});

// With an interval that is at least so wide, relative to the value, on either side. Let that be the
// k-th smallest error of predictions made so for n other images. By the argument of conformal
// prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005) the error
// of one more image is no larger with a probability of k / (n + 1), if they are exchangeable,
// however wrong the model is: for nine in ten the 28th of thirty.
Predicted widened(Predicted prediction, double relative);

// Which of `pages` pages of a changed file are zeros by what is known before: digests of the pages
// of the older one, where that of zeros is 0.
std::vector<bool> zeros_after(const std::vector<std::uint64_t>& old, std::uint64_t pages);

// Those whose newer file the image does not hold, nor another successor of the older one.
std::vector<EditProfile> of_others(const std::vector<EditProfile>& profiles,
                                   const StructureFacts& to);

// Of the image's changes.
SeenChanges seen_changes(const std::vector<EditProfile>& profiles, const StructureFacts& to);

// The profiles a file of `pages` pages that are not of zeros draws from: of its kind, and at most
// four times larger or smaller; the five nearest where those are fewer. Their indices. Where none
// is `alone`, one of the same size is taken for one among several.
std::vector<std::size_t> profiles_like(const std::vector<EditProfile>& profiles, EditKind kind,
                                       std::uint64_t pages);
// The page of a file of `own` pages that says what becomes of `page` of `pages` of another one:
// ends fall on ends, and what lies between is repeated or cut.
std::uint64_t page_like(std::uint64_t own, std::uint64_t page, std::uint64_t pages);

}  // namespace missive
