#include "real/zar/merkle.h"

#include <cmath>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

constexpr std::uint32_t kBlock = 4096;

std::vector<Digest> some_leaves(std::size_t count) {
  std::vector<Digest> leaves;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = "leaf " + std::to_string(i);
    leaves.push_back(sha256(std::as_bytes(std::span(text))));
  }
  return leaves;
}

// Straight from the definition, by strings and recursion over levels; shares no code with the tree.
Digest reference_root(const std::vector<Digest>& level, std::size_t degree, char height = 1) {
  if (level.size() == 1) return level.front();
  std::vector<Digest> above;
  for (std::size_t i = 0; i < level.size(); i += degree) {
    std::string text = {'\x01', height};
    for (std::size_t j = i; j < level.size() && j < i + degree; ++j)
      text += as_text(level[j].bytes);
    above.push_back(sha256(std::as_bytes(std::span(text))));
  }
  return reference_root(above, degree, static_cast<char>(height + 1));
}

TreeShape shape_of(std::size_t blocks, std::uint32_t degree) {
  return {blocks * kBlock, kBlock, degree};
}

TEST(Merkle, RootFollowsTheDefinitionForAllShapes) {
  for (const std::uint32_t degree : {2u, 3u, 4u, 16u, 127u, 128u, 256u})
    for (const std::size_t blocks : {1u, 2u, 3u, 4u, 5u, 127u, 128u, 129u, 255u, 256u, 257u, 1600u})
      EXPECT_EQ(tree_root(some_leaves(blocks), shape_of(blocks, degree)),
                reference_root(some_leaves(blocks), degree))
          << degree << " " << blocks;
}

TEST(Merkle, EveryDegreeHasItsReferenceRoot) {
  const auto leaves = some_leaves(300);
  for (std::uint32_t degree = 2; degree <= 256; ++degree)
    ASSERT_EQ(tree_root(leaves, shape_of(300, degree)), reference_root(leaves, degree)) << degree;
}

TEST(Merkle, RootChangesWithEveryLeafAndWithTheirOrder) {
  const auto shape = shape_of(20, 4);
  const auto leaves = some_leaves(20);
  std::set<Digest> roots = {tree_root(leaves, shape)};
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    auto changed = leaves;
    changed[i].bytes[31] ^= std::byte{1};
    roots.insert(tree_root(changed, shape));
  }
  auto swapped = leaves;
  std::swap(swapped[3], swapped[4]);
  roots.insert(tree_root(swapped, shape));
  EXPECT_EQ(roots.size(), 22u);
}

TEST(Merkle, InnerNodesCountsWhatTheTreeHashes) {
  EXPECT_EQ(inner_nodes(shape_of(1, 2)), 0u);
  EXPECT_EQ(inner_nodes(shape_of(2, 2)), 1u);
  EXPECT_EQ(inner_nodes(shape_of(5, 2)), 3u + 2u + 1u);
  EXPECT_EQ(inner_nodes(shape_of(1600, 128)), 13u + 1u);
  EXPECT_EQ(inner_nodes(shape_of(256, 256)), 1u);
}

TEST(Merkle, NameDependsOnLengthBlockSizeAndDegree) {
  const Digest root = some_leaves(1).front();
  const std::set<Digest> names = {
      image_name(root, {8192, 4096, 128}), image_name(root, {16384, 4096, 128}),
      image_name(root, {8192, 8192, 128}), image_name(root, {8192, 4096, 127}),
      image_name(some_leaves(2).back(), {8192, 4096, 128})};
  EXPECT_EQ(names.size(), 5u);
}

TEST(Merkle, NameIsTheDocumentedHash) {
  const Digest root = some_leaves(1).front();
  std::string text = "missive-sim/image/2";
  text += std::string("\x00\x00\x02\x00\x00\x00\x00\x00", 8);  // length 131072
  text += std::string("\x00\x00\x01\x00\x00\x00\x00\x00", 8);  // block size 65536
  text += std::string("\x80\x00\x00\x00\x00\x00\x00\x00", 8);  // degree 128
  text += std::string("\x02\x00\x00\x00\x00\x00\x00\x00", 8);  // leaves
  text += std::string("\x01\x00\x00", 3);                      // SHA-256, blocks, plain
  text += as_text(root.bytes);
  EXPECT_EQ(image_name(root, {131072, 65536, 128}), sha256(std::as_bytes(std::span(text))));
}

TEST(Merkle, LeafIsTheHashOfItsBlock) {
  const std::string data = noise(3 * kBlock, 9);
  const auto bytes = std::as_bytes(std::span(data));
  const auto leaves = leaf_hashes(bytes, shape_of(3, 2));
  ASSERT_EQ(leaves.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(leaves[i], sha256(bytes.subspan(i * kBlock, kBlock)));
}

TEST(Merkle, RefusesShapesOutOfRange) {
  const TreeShape bad[] = {{0, 4096, 128},        {4097, 4096, 128},   {4096, 0, 128},
                           {4096, 2048, 128},     {12288, 12288, 128}, {2097152, 2097152, 128},
                           {4096, 4096, 0},       {4096, 4096, 1},     {4096, 4096, 257},
                           {~0ull << 12, 4096, 2}};
  for (const TreeShape& shape : bad) {
    EXPECT_THROW(check(shape, "here"), InputError);
    EXPECT_THROW(tree_root({}, shape), InputError);
    EXPECT_THROW(leaf_hashes({}, shape), InputError);
    EXPECT_THROW(inner_nodes(shape), InputError);
  }
  EXPECT_NO_THROW(check(TreeShape{1048576, 1048576, 256}, "here"));
}

TEST(Merkle, RefusesLeavesOrBytesThatDoNotFitTheShape) {
  EXPECT_THROW(tree_root(some_leaves(3), shape_of(4, 2)), InputError);
  const std::string data = noise(kBlock, 1);
  EXPECT_THROW(leaf_hashes(std::as_bytes(std::span(data)), shape_of(2, 2)), InputError);
}

}  // namespace
}  // namespace missive::zar
