#include "io/text_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <thread>
#include <vector>

#include "core/error.h"
#include "support/files.h"
#include "support/samples.h"

namespace bertha::io {
namespace {

std::string gzip(const std::string& text) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("a.gz");
  const gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())),
            static_cast<int>(text.size()));
  gzclose(file);
  return test::read_all(path);
}

std::string utf16(const std::string& ascii, bool little, bool mark) {
  std::string text = !mark ? "" : little ? "\xFF\xFE" : "\xFE\xFF";
  for (const char c : ascii) {
    if (!little) text += '\0';
    text += c;
    if (little) text += '\0';
  }
  return text;
}

class TextFileTest : public testing::Test {
 protected:
  std::string write(const std::string& contents) const {
    test::write_all(path_, contents);
    return path_;
  }
  std::string read(const std::string& contents) const {
    return std::string(TextFile(write(contents)).text());
  }
  std::string in_blocks(const std::string& contents, size_t block_bytes) const {
    TextBlocks blocks(write(contents), block_bytes);
    std::string all;
    for (std::string_view block = blocks.next(); !block.empty(); block = blocks.next())
      all += block;
    return all;
  }
  /// The same message by both readers.
  std::string error_of(const std::string& contents) const {
    std::string messages[2];
    try {
      read(contents);
    } catch (const Error& error) {
      messages[0] = error.what();
    }
    try {
      in_blocks(contents, 5);
    } catch (const Error& error) {
      messages[1] = error.what();
    }
    EXPECT_EQ(messages[0], messages[1]);
    EXPECT_EQ(messages[0].find(path_ + ": "), 0U) << messages[0];
    return messages[0];
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_.file("text.txt");
};

TEST_F(TextFileTest, PlainAndCompressedTextIsTheSame) {
  const std::string text = "the king\nüber\n\nBZh is no bzip2\nno end";
  for (const std::string& contents :
       {text, "\xEF\xBB\xBF" + text, gzip(text), gzip("\xEF\xBB\xBF" + text), test::bzip2(text)}) {
    EXPECT_EQ(read(contents), text);
    for (const size_t block_bytes : {1U, 12U, 1000U}) {
      EXPECT_EQ(in_blocks(contents, block_bytes), text);
    }
  }
  EXPECT_EQ(read("BZh9 is a word"), "BZh9 is a word");
  EXPECT_EQ(in_blocks("BZh9 is a word", 3), "BZh9 is a word");
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(in_blocks("", 3), "");
}

TEST_F(TextFileTest, BlocksHoldWholeLines) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += std::string(static_cast<size_t>(i % 40), 'x') + "\n";
  TextBlocks blocks(write(text + "last"), 100);
  std::string all;
  for (std::string_view block = blocks.next(); !block.empty(); block = blocks.next()) {
    all += block;
    EXPECT_TRUE(block.ends_with('\n') || all.size() == text.size() + 4);
  }
  EXPECT_EQ(all, text + "last");
}

TEST_F(TextFileTest, FirstWrongByteIsNamedWithItsLine) {
  EXPECT_NE(error_of("caf\xE9\n").find("byte 3 is not UTF-8 text (line 1); `iconv"),
            std::string::npos);
  EXPECT_NE(error_of("one\ntwo\nna\xEFve\n").find("byte 10 is not UTF-8 text (line 3)"),
            std::string::npos);
  EXPECT_NE(error_of("\xEF\xBB\xBFone\n\xFF\n").find("byte 7 is not UTF-8 text (line 2)"),
            std::string::npos);
  EXPECT_NE(error_of(gzip("one\n\xFF\n")).find("byte 4 is not UTF-8 text (line 2)"),
            std::string::npos);
  EXPECT_THROW(require_utf8_line("a\xFF", "standard input", 3), Error);
}

TEST_F(TextFileTest, WhatIsNoTextIsNamed) {
  for (const bool little : {true, false}) {
    for (const bool mark : {true, false}) {
      EXPECT_NE(
          error_of(utf16("the king runs\n", little, mark)).find("UTF-16 text, expected UTF-8"),
          std::string::npos);
    }
  }
  EXPECT_NE(error_of("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
                .find("this is a Git LFS pointer"),
            std::string::npos);
  EXPECT_NE(error_of("PK\x03\x04\x14\xFF").find("this is a zip archive, as .xlsx"),
            std::string::npos);
  EXPECT_NE(error_of("PAR1\x15\xFF").find("this is a Parquet file"), std::string::npos);
  EXPECT_NE(error_of("\x7f"
                     "ELF" +
                     std::string(9, '\0') + "\xFF\xFE")
                .find("binary data"),
            std::string::npos);
  EXPECT_NE(error_of("\xfd"
                     "7zXZ" +
                     std::string(1, '\0') + "\xFF")
                .find("compressed with xz"),
            std::string::npos);
  const std::string packed = gzip(std::string(5000, 'x'));
  EXPECT_NE(error_of(packed.substr(0, packed.size() / 2)).find("cut off"), std::string::npos);
  EXPECT_THROW(TextFile(folder_.file("none")), Error);
  EXPECT_THROW(TextBlocks(folder_.file("none"), 9), Error);
}

TEST_F(TextFileTest, SingleNulBytesAreText) {
  const std::string text = std::string("the ") + '\0' + "king\n";
  EXPECT_EQ(read(text), text);
}

TEST_F(TextFileTest, PipesAreReadInBlocks) {
  const std::string pipe = folder_.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string text(200'000, 'x');
  std::thread writer([&] { std::ofstream(pipe, std::ios::binary) << text << '\n'; });
  TextBlocks blocks(pipe, 1000);
  EXPECT_EQ(blocks.next(), text + '\n');
  EXPECT_TRUE(blocks.next().empty());
  writer.join();
}

}  // namespace
}  // namespace bertha::io
