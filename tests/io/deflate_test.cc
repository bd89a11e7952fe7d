#include "io/archive/deflate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>

namespace bertha::io {
namespace {

using Bytes = std::vector<std::byte>;

Bytes zlib_inflated(std::span<const std::byte> stream, size_t size) {
  Bytes plain(size + 1);  // never a null pointer, and a stream that is too long is detected
  auto bytes = static_cast<uLongf>(plain.size());
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(plain.data()), &bytes,
                       reinterpret_cast<const Bytef*>(stream.data()), stream.size()),
            Z_OK);
  plain.resize(bytes);
  return plain;
}

Bytes libdeflate_inflated(std::span<const std::byte> stream, size_t size) {
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflater(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  Bytes plain(size + 1);
  size_t bytes = 0;
  EXPECT_EQ(libdeflate_zlib_decompress(inflater.get(), stream.data(), stream.size(), plain.data(),
                                       plain.size(), &bytes),
            LIBDEFLATE_SUCCESS);
  plain.resize(bytes);
  return plain;
}

/// Deflates with tables and a buffer that an earlier call has used, and with fresh ones.
void expect_round_trip(const Bytes& plain, const std::string& what) {
  static Deflater used;
  static Bytes used_room;
  const std::span<const std::byte> stream = used.deflate(plain, used_room);
  EXPECT_EQ(zlib_inflated(stream, plain.size()), plain) << what;
  EXPECT_EQ(libdeflate_inflated(stream, plain.size()), plain) << what;
  EXPECT_LE(stream.size(), plain.size() + 11 + 5 * (plain.size() / 65'535)) << what;
  Bytes room;
  EXPECT_TRUE(std::ranges::equal(Deflater().deflate(plain, room), stream)) << what;
}

/// `size` bytes of 4-byte integers below `bound`.
Bytes integers(std::mt19937& random, size_t size, uint32_t bound) {
  Bytes bytes(size);
  for (size_t at = 0; at < size; at += 4) {
    const auto value = static_cast<uint32_t>(random()) % bound;
    std::memcpy(bytes.data() + at, &value, std::min<size_t>(4, size - at));
  }
  return bytes;
}

TEST(Deflate, AnyLengthOfAnyBytesRoundTrips) {
  std::mt19937 random(1);
  for (size_t size = 0; size < 70; ++size) {
    expect_round_trip(Bytes(size), fmt::format("{} zeros", size));
    expect_round_trip(Bytes(size, std::byte{0xa5}), fmt::format("{} equal bytes", size));
    expect_round_trip(integers(random, size, 0xffffffff), fmt::format("{} random bytes", size));
  }
}

TEST(Deflate, IncompressibleBytesStayWithinTheBound) {
  std::mt19937 random(2);
  for (const size_t size : {65'534U, 65'535U, 65'536U, 131'070U, 131'071U, 524'288U, 1'000'003U}) {
    expect_round_trip(integers(random, size, 0xffffffff), fmt::format("{} random bytes", size));
  }
}

TEST(Deflate, RunsOfMasksAndIdsRoundTrip) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    Bytes bytes = integers(random, 1 + random() % 40'000, 2U << (random() % 20));
    for (size_t runs = random() % 100; runs > 0; --runs) {
      const size_t begin = random() % bytes.size();
      const size_t end = std::min<size_t>(bytes.size(), begin + random() % 1'000);
      if (random() % 2 == 0) {
        std::fill(bytes.begin() + static_cast<ptrdiff_t>(begin),
                  bytes.begin() + static_cast<ptrdiff_t>(end), static_cast<std::byte>(random()));
      } else {  // a copy of earlier bytes
        const size_t from = random() % (begin + 1);
        for (size_t i = 0; begin + i < end; ++i) bytes[begin + i] = bytes[from + i];
      }
    }
    expect_round_trip(bytes, fmt::format("round {}", round));
  }
}

TEST(Deflate, IdsAndPaddingAreCompressed) {
  std::mt19937 random(4);
  Bytes ids = integers(random, 1 << 19, 30'000);
  for (size_t row = 0; row < ids.size(); row += 512) {
    std::fill_n(ids.begin() + static_cast<ptrdiff_t>(row) + 400, 112, std::byte{0});
  }
  Bytes room;
  EXPECT_LT(Deflater().deflate(ids, room).size(), ids.size() / 2);
  EXPECT_LT(Deflater().deflate(Bytes(1 << 19), room).size(), size_t{2'500});
}

}  // namespace
}  // namespace bertha::io
