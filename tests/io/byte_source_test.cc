#include "io/archive/byte_source.h"

#include <bzlib.h>
#include <zlib.h>

#include "core/error.h"
#include "io/archive/bzip2_source.h"
#include "support/samples.h"

namespace bertha::io {
namespace {

struct All {
  std::string text;
  std::string damage;
};

All read_all(std::string_view bytes, int64_t threads = 1) {
  const auto source = open_memory(bytes, "test", threads);
  All all;
  for (std::string_view part = source->next(); !part.empty(); part = source->next()) {
    all.text += part;
  }
  all.damage = source->damage();
  return all;
}

std::string gzip(std::string text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(ByteSource, PlainFileIsReturnedUnchanged) {
  const std::string text = test::noise(1'000'000);
  EXPECT_EQ(read_all(text).text, text);
  EXPECT_THROW(open_memory("", "test", 1), Error);
}

TEST(ByteSource, GzipMembersAreJoined) {
  const std::string text = test::noise(700'000);
  const All all = read_all(gzip(text) + gzip("more"));
  EXPECT_EQ(all.text, text + "more");
  EXPECT_EQ(all.damage, "");
}

TEST(ByteSource, DamageOfGzipNamesTheByte) {
  const std::string text = test::noise(700'000);
  std::string packed = gzip(text);
  const All cut = read_all(packed.substr(0, packed.size() / 2));
  EXPECT_NE(cut.damage.find("cut off"), std::string::npos);
  EXPECT_TRUE(text.starts_with(cut.text));
  packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] ^ 0x55);
  EXPECT_NE(read_all(packed).damage, "");
}

TEST(Bzip2, BytesDoNotDependOnThreads) {
  const std::string text = test::noise(1'500'000);  // 16 blocks, not aligned to bytes
  const std::string packed = test::bzip2(text);
  for (const int64_t threads : {1, 2, 8}) {
    const All all = read_all(packed, threads);
    EXPECT_TRUE(all.text == text) << threads;
    EXPECT_EQ(all.damage, "");
  }
}

TEST(Bzip2, StreamsAreJoinedAndMayBeEmpty) {
  const std::string text = test::noise(250'000);
  const All all = read_all(test::bzip2(text) + test::bzip2("") + test::bzip2("end"), 2);
  EXPECT_TRUE(all.text == text + "end");
  EXPECT_EQ(all.damage, "");
}

TEST(Bzip2, TruncatedFileGivesItsCompleteBlocks) {
  const std::string text = test::noise(500'000);
  const std::string packed = test::bzip2(text);
  for (const size_t kept : {packed.size() - 1, packed.size() / 2, size_t{9}, size_t{4}}) {
    const All all = read_all(packed.substr(0, kept), 2);
    EXPECT_NE(all.damage.find("cut off"), std::string::npos) << kept << " " << all.damage;
    EXPECT_TRUE(text.starts_with(all.text)) << kept;
    if (kept == packed.size() / 2) {
      EXPECT_GT(all.text.size(), text.size() / 4);
    }
  }
}

TEST(Bzip2, DamagedBlockEndsTheData) {
  const std::string text = test::noise(500'000);
  const std::string packed = test::bzip2(text);
  for (size_t at = 30; at < packed.size(); at += packed.size() / 40) {
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const All all = read_all(damaged);
    EXPECT_NE(all.damage, "") << at;
    EXPECT_TRUE(text.starts_with(all.text)) << at;
  }
}

TEST(Bzip2, WrongStreamChecksumIsDamage) {
  std::string packed = test::bzip2("some text");
  packed[packed.size() - 2] = static_cast<char>(packed[packed.size() - 2] ^ 0x40);
  EXPECT_NE(read_all(packed).damage, "");
}

TEST(Bzip2, PatternIsFoundAtEveryBit) {
  for (int shift = 0; shift < 8; ++shift) {
    // The pattern of a block, `shift` bits into the third byte.
    const unsigned __int128 bits = static_cast<unsigned __int128>(0x314159265359ULL)
                                   << (16 - shift);
    std::string bytes(2, '\xff');
    for (int at = 56; at >= 0; at -= 8) bytes.push_back(static_cast<char>(bits >> at & 0xff));
    const auto mark = find_bzip2_mark(bytes, 0);
    ASSERT_TRUE(mark.has_value()) << shift;
    EXPECT_EQ(mark->bit, 16 + shift);
    EXPECT_FALSE(mark->ends_stream);
    EXPECT_FALSE(find_bzip2_mark(bytes, mark->bit + 1).has_value());
  }
}

/// One block of up to 900,000 bytes. Its header then says that blocks have up to `level` times
/// 100,000 bytes.
std::string one_block(std::string text, char level) {
  std::string packed(2 * text.size() + 600, '\0');
  auto size = static_cast<unsigned>(packed.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(packed.data(), &size, text.data(),
                                     static_cast<unsigned>(text.size()), 9, 0, 0),
            BZ_OK);
  packed.resize(size);
  packed[3] = level;
  return packed;
}

TEST(Bzip2, BlockBeyondTheLevelOfItsStreamIsDamage) {
  const std::string text = test::noise(150'000);
  for (const char level : {'2', '5', '9'}) EXPECT_EQ(read_all(one_block(text, level)).text, text);
  const All refused = read_all(one_block(text, '1'));
  EXPECT_EQ(refused.text, "");
  EXPECT_NE(refused.damage, "");
  // Each stream has its own level.
  const All joined = read_all(one_block("a", '1') + one_block(text, '2') + one_block(text, '1'), 2);
  EXPECT_EQ(joined.text, "a" + text);
  EXPECT_NE(joined.damage, "");
}

TEST(Bzip2, FileCutWithinTheHeaderOfAStreamIsDamage) {
  const std::string packed = test::bzip2("some text");
  for (const std::string rest : {"B", "BZ", "BZh", "BZh9"}) {
    const All all = read_all(packed + rest);
    EXPECT_EQ(all.text, "some text") << rest;
    EXPECT_NE(all.damage.find("cut off"), std::string::npos) << rest;
  }
  EXPECT_NE(read_all("BZh").damage, "");
  EXPECT_EQ(read_all(packed + "garbage").damage, "");  // as bzcat
}

}  // namespace
}  // namespace bertha::io
