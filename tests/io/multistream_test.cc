#include "io/archive/multistream.h"

#include <vector>

#include "core/error.h"
#include "support/samples.h"

namespace bertha::io {
namespace {

/// A multistream file of `parts` streams: its bytes, its text and the offsets of the streams.
struct Sample {
  std::string bytes;
  std::string text;
  std::vector<int64_t> streams;
  std::string index;
};

Sample make_sample(int parts) {
  const std::string noise = test::noise(250'000);
  Sample sample;
  sample.text = "<mediawiki>";
  sample.bytes = test::bzip2(sample.text);  // the header is a stream that the index does not name
  for (int i = 0; i < parts; ++i) {
    const auto size = static_cast<size_t>(1 + i * 7919 % 200'000);
    const std::string part = noise.substr(static_cast<size_t>(i), size);
    sample.streams.push_back(static_cast<int64_t>(sample.bytes.size()));
    for (int page = 0; page < 3; ++page) {
      sample.index += std::to_string(sample.bytes.size()) + ":" + std::to_string(3 * i + page) +
                      ":Title: with colons\n";
    }
    sample.bytes += test::bzip2(part);
    sample.text += part;
  }
  return sample;
}

struct All {
  std::string text;
  std::string damage;
};

All read_all(ByteSource& source) {
  All all;
  for (std::string_view part = source.next(); !part.empty(); part = source.next()) {
    all.text += part;
  }
  all.damage = source.damage();
  return all;
}

TEST(Multistream, BytesDoNotDependOnThreads) {
  const Sample sample = make_sample(20);
  for (const int64_t threads : {1, 2, 8}) {
    const All all = read_all(*open_multistream(sample.bytes, sample.streams, threads));
    EXPECT_TRUE(all.text == sample.text) << threads;
    EXPECT_EQ(all.damage, "");
  }
}

TEST(Multistream, PiecesOfSeveralStreamsAreRead) {
  const Sample sample = make_sample(9);
  const std::vector<int64_t> some = {sample.streams[2], sample.streams[3], sample.streams[7]};
  EXPECT_TRUE(read_all(*open_multistream(sample.bytes, some, 2)).text == sample.text);
}

TEST(Multistream, DamagedFileGivesItsUndamagedStreams) {
  const Sample sample = make_sample(12);
  for (const bool cut : {true, false}) {
    std::string bytes = sample.bytes;
    const auto middle = static_cast<size_t>(sample.streams[8]) + 2000;
    if (cut) {
      bytes.resize(middle);
    } else {
      bytes[middle] = static_cast<char>(bytes[middle] ^ 0x10);
    }
    for (const int64_t threads : {1, 4}) {
      const All all = read_all(*open_multistream(bytes, sample.streams, threads));
      EXPECT_NE(all.damage, "");
      EXPECT_TRUE(sample.text.starts_with(all.text));
      EXPECT_GT(all.text.size(), 200'000U);
    }
  }
}

TEST(StreamIndex, GivesTheOffsetsOfStreams) {
  test::TemporaryFolder folder;
  const Sample sample = make_sample(5);
  test::write_all(folder.file("d.xml.bz2"), sample.bytes);
  test::write_all(folder.file("d-index.txt.bz2"), test::bzip2(sample.index));
  const std::string dump = folder.file("d.xml.bz2");
  EXPECT_EQ(find_stream_index(dump), folder.file("d-index.txt.bz2"));
  EXPECT_EQ(find_stream_index(folder.file("e.xml.bz2")), "");
  EXPECT_EQ(find_stream_index(folder.file("d.xml")), "");
  EXPECT_EQ(read_stream_index(folder.file("d-index.txt.bz2"), dump, 2), sample.streams);
}

TEST(StreamIndex, IndexOfAnotherFileIsRejected) {
  test::TemporaryFolder folder;
  const Sample sample = make_sample(3);
  test::write_all(folder.file("d.xml.bz2"), sample.bytes);
  for (const std::string& wrong :
       {std::string("7:1:Off by some\n"), std::string("999999999:1:Behind the end\n"),
        sample.index + "0:9:Falling\n", std::string("no index\n"), std::string("12\n"),
        std::string("-4:1:x\n"), std::string(100'000, '1')}) {
    test::write_all(folder.file("i.txt"), wrong);
    EXPECT_THROW(read_stream_index(folder.file("i.txt"), folder.file("d.xml.bz2"), 1), Error)
        << wrong;
  }
}

}  // namespace
}  // namespace bertha::io
