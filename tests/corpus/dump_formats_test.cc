// A dump in each form that it may arrive in gives the same pages.

#include <lzma.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <array>

#include "core/error.h"
#include "corpus/dump_reader.h"
#include "io/archive/decoded_source.h"
#include "support/samples.h"

namespace bertha::corpus {
namespace {

std::string dump() {
  return "<mediawiki><page><title>A</title><id>1</id><revision><text>" + test::noise(400'000) +
         "</text></revision></page></mediawiki>";
}

std::string xz(const std::string& text) {
  std::string out(text.size() + 100'000, '\0');
  size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, nullptr,
                                    reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                    reinterpret_cast<uint8_t*>(out.data()), &size, out.size()),
            LZMA_OK);
  out.resize(size);
  return out;
}

/// With a checksum, as the program zstd writes it.
std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

using Compress = std::string (*)(const std::string&);

std::string bzip2(const std::string& text) {
  return test::bzip2(text);
}

constexpr std::array<Compress, 4> kFormats = {xz, zstd, gzip, bzip2};

std::string read_all(io::ByteSource& source) {
  std::string text;
  for (auto part = source.next(); !part.empty(); part = source.next()) text += part;
  return text;
}

/// The bytes arrive in pieces, as from a pipe.
class Pieces : public io::ByteSource {
 public:
  Pieces(std::string_view bytes, size_t piece_bytes) : rest_(bytes), piece_bytes_(piece_bytes) {}
  std::string_view next() override {
    const std::string_view piece = rest_.substr(0, piece_bytes_);
    rest_.remove_prefix(piece.size());
    read_bytes_ += std::ssize(piece);
    return piece;
  }

 private:
  std::string_view rest_;
  size_t piece_bytes_;
};

TEST(DumpFormats, CompressedFilesOfSeveralStreamsGiveTheirText) {
  const std::string text = dump();
  for (const Compress compress : kFormats) {
    const std::string file = compress(text) + compress("") + compress(text);
    const auto whole = io::open_memory(file, "file", 2);
    EXPECT_TRUE(read_all(*whole) == text + text);
    EXPECT_EQ(whole->damage(), "");
    for (const size_t piece_bytes : {size_t{1000}, size_t{77'777}}) {
      const auto pieces = io::decode(std::make_unique<Pieces>(file, piece_bytes), "pieces");
      EXPECT_TRUE(read_all(*pieces) == text + text) << piece_bytes;
      EXPECT_EQ(pieces->damage(), "");
    }
  }
}

TEST(DumpFormats, CutAndDamagedFilesAreNamed) {
  const std::string text = dump();
  for (const Compress compress : kFormats) {
    std::string file = compress(text);
    const auto cut = io::decode(
        std::make_unique<Pieces>(std::string_view(file).substr(0, file.size() / 2), 9999), "cut");
    const std::string read = read_all(*cut);
    EXPECT_TRUE(text.starts_with(read));
    EXPECT_NE(cut->damage().find("cut off"), std::string::npos) << cut->damage();
    for (size_t at = file.size() / 2; at < file.size() / 2 + 50; ++at) {
      file[at] = static_cast<char>(~file[at]);
    }
    const auto damaged = io::decode(std::make_unique<Pieces>(file, 9999), "damaged");
    read_all(*damaged);
    EXPECT_NE(damaged->damage(), "");
  }
}

TEST(DumpFormats, ArchivesAreRefusedByName) {
  using namespace std::string_view_literals;
  for (const auto& [bytes, name] :
       {std::pair{"7z\xbc\xaf\x27\x1c\0\4"sv, "7z"}, std::pair{"PK\x03\x04 xyz"sv, "zip"}}) {
    try {
      io::open_memory(bytes, "dump.xml", 1);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
}

TEST(DumpFormats, PipeIsReadToItsEnd) {
  const std::string file = gzip(
      "<mediawiki><page><title>A</title><id>1</id><revision><text>"
      "Words.</text></revision></page></mediawiki>");
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  ASSERT_EQ(write(ends[1], file.data(), file.size()), static_cast<ssize_t>(file.size()));
  close(ends[1]);
  DumpReader reader(io::decode(io::open_descriptor(ends[0]), "pipe"));
  const auto page = reader.next();
  close(ends[0]);
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->text, "Words.");
}

}  // namespace
}  // namespace bertha::corpus
