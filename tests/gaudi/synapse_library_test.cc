// Loading of libSynapse.so: what is missing or differs is reported in one line.

#include "backend/gaudi/synapse_library.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "accelerator/under_test.h"
#include "core/error.h"

namespace bertha::gaudi {
namespace {

std::string problem_of(const std::string& path) {
  try {
    const SynapseLibrary library(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(SynapseLibrary, MissingFileIsNamed) {
  EXPECT_NE(problem_of("/nowhere/libSynapse.so").find("/nowhere/libSynapse.so"), std::string::npos);
}

TEST(SynapseLibrary, MissingFunctionsAreNamed) {
  const std::string problem = problem_of("libm.so.6");
  EXPECT_NE(problem.find("libm.so.6 lacks the functions synInitialize, synDestroy"),
            std::string::npos)
      << problem;
}

constexpr std::array<uint64_t, 3> kSizes = {11, 257, 4099};
constexpr std::byte kCanary{0xa5};

/// A buffer as the library leaves it that this program is written for.
std::vector<std::byte> expected_bytes() {
  std::vector<std::byte> bytes(512, kCanary);
  const abi::TensorGeometry geometry{.sizes = {11, 257, 4099}, .dimensions = 3};
  std::memcpy(bytes.data(), &geometry, sizeof(geometry));
  return bytes;
}

TEST(SynapseLibrary, KnownLayoutHasNoDifference) {
  EXPECT_EQ(layout_difference(expected_bytes(), kCanary, kSizes), "");
}

TEST(SynapseLibrary, OtherLayoutsAreDescribed) {
  std::vector<std::byte> narrow(512, kCanary);
  const std::array<uint32_t, 3> sizes = {11, 257, 4099};
  std::memcpy(narrow.data(), sizes.data(), sizeof(sizes));
  EXPECT_EQ(layout_difference(narrow, kCanary, kSizes), "extents of tensors are 32 bits wide");

  std::vector<std::byte> longer = expected_bytes();
  longer[208] = std::byte{0};
  EXPECT_EQ(layout_difference(longer, kCanary, kSizes), "a geometry takes more than 208 bytes");

  std::vector<std::byte> rank = expected_bytes();
  rank[200] = std::byte{5};
  EXPECT_EQ(layout_difference(rank, kCanary, kSizes), "a rank came back as 5, not 3");

  std::vector<std::byte> extent = expected_bytes();
  extent[8] = std::byte{2};
  EXPECT_NE(layout_difference(extent, kCanary, kSizes), "");
}

TEST(SynapseLibrary, StandInIsOpenedAndItsStatusesAreDescribed) {
  const SynapseLibrary library(STANDIN_LIBRARY);
  EXPECT_FALSE(library.modules().empty());
  abi::Recipe recipe = nullptr;
  const abi::Status status = library->synRecipeDeSerialize(&recipe, "/nowhere/recipe");
  EXPECT_NE(status, abi::kSuccess);
  EXPECT_NE(library.describe(status, "synRecipeDeSerialize").find("synRecipeDeSerialize failed: "),
            std::string::npos);
}

}  // namespace
}  // namespace bertha::gaudi
