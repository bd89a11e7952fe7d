#include "dataset/instances.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "io/raw_hdf5.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::dataset {
namespace {

const std::string kFixtures = test::tests_path("dataset/fixtures/");

/// The six datasets of a set of instances, padded as in the file.
struct Columns {
  std::vector<int32_t> ids, mask, segments, positions, labels, next;
};

Columns columns_of(const InstanceSet& set) {
  const ShardShape shape = set.shape();
  const auto seq = static_cast<size_t>(shape.seq_length);
  const auto predictions = static_cast<size_t>(shape.max_predictions);
  Columns columns;
  const auto append = [](std::vector<int32_t>& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (int64_t row = 0; row < shape.rows; ++row) {
    std::vector<int32_t> ids(seq), positions(predictions), labels(predictions);
    std::vector<int8_t> mask(seq), segments(seq);
    int8_t next = 0;
    set.fill_row(row, {ids, mask, segments, positions, labels, next});
    append(columns.ids, ids);
    append(columns.mask, mask);
    append(columns.segments, segments);
    append(columns.positions, positions);
    append(columns.labels, labels);
    columns.next.push_back(next);
  }
  return columns;
}

InstanceSet make(const std::string& text, const std::string& vocab, const InstanceOptions& options,
                 int64_t threads = 1) {
  const auto vocabulary = text::Vocabulary::load(vocab);
  const text::Tokenizer tokenizer(vocabulary, {true, text::TokenRules::kRecipe});
  return {read_corpus(std::vector{text}, tokenizer, threads), vocabulary, options};
}

InstanceOptions options_of(int64_t seq_length, int64_t predictions, int64_t dupe,
                           int64_t seed = 12345, double prob = 0.15) {
  InstanceOptions options;
  options.max_seq_length = seq_length;
  options.max_predictions_per_seq = predictions;
  options.dupe_factor = dupe;
  options.random_seed = seed;
  options.masked_lm_prob = prob;
  return options;
}

struct Case {
  std::string name;  ///< group of cases.hdf5
  std::string text;
  InstanceOptions options;
};

class ReferenceCase : public testing::TestWithParam<Case> {};

TEST_P(ReferenceCase, EqualsTheReferenceElementForElement) {
  const Case& c = GetParam();
  const InstanceSet set = make(kFixtures + c.text, kFixtures + "vocab.txt", c.options);
  const Columns ours = columns_of(set);
  const auto reference = [&](const std::string& dataset) {
    return test::read_raw(kFixtures + "cases.hdf5", c.name + "/" + dataset).values;
  };
  EXPECT_EQ(ours.ids, reference("input_ids"));
  EXPECT_EQ(ours.mask, reference("input_mask"));
  EXPECT_EQ(ours.segments, reference("segment_ids"));
  EXPECT_EQ(ours.positions, reference("masked_lm_positions"));
  EXPECT_EQ(ours.labels, reference("masked_lm_ids"));
  EXPECT_EQ(ours.next, reference("next_sentence_labels"));
}

INSTANTIATE_TEST_SUITE_P(
    Fixtures, ReferenceCase,
    testing::Values(Case{"harbour_s64", "harbour.txt", options_of(64, 10, 3)},
                    Case{"harbour_s16", "harbour.txt", options_of(16, 4, 2, 7)},
                    Case{"one_document_s32", "one_document.txt", options_of(32, 5, 2)},
                    Case{"one_segment_s16", "one_segment.txt", options_of(16, 3, 4)},
                    Case{"tiny_s12", "tiny.txt", options_of(12, 2, 3)},
                    Case{"tiny_s5", "tiny.txt", options_of(5, 20, 3, 0, 0.5)},
                    Case{"odd_lines_s24", "odd_lines.txt", options_of(24, 20, 2, -5)}),
    [](const auto& tested) { return tested.param.name; });

uint32_t crc_of(const std::vector<int32_t>& values) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(values.data()), values.size() * sizeof(int32_t)));
}

struct Digest {
  std::string book;
  InstanceOptions options;
  int64_t rows;
  std::vector<uint32_t> crcs;  ///< of the six datasets of the reference's file, as int32
};

// Every line of the book counts as a sentence and every paragraph as a document. The figures come
// from the reference (fixtures/README.md) with the vocabulary of bert-base-uncased.
const std::vector<Digest> kDigests = {
    {"austen_persuasion.txt",
     options_of(128, 20, 5),
     11052,
     {0x33fa1021, 0x5fe6b6d5, 0x6e8fd01d, 0x905a4d1c, 0xa141036d, 0x0e63a298}},
    {"austen_persuasion.txt",
     options_of(512, 80, 5),
     8740,
     {0x2a44c4ff, 0xf95ba895, 0x839d9e09, 0x5fb49449, 0x80ba1ba8, 0xd35be948}},
    {"gitenberg_The-Adventures-of-Sherlock-Holmes_1661.txt",
     options_of(128, 20, 5),
     21080,
     {0x3a62054d, 0x0ac9226c, 0x6cc802be, 0xaaa98e97, 0xe9a70e6d, 0x7cb4d541}},
    {"gitenberg_The-Adventures-of-Sherlock-Holmes_1661.txt",
     options_of(512, 80, 5),
     18848,
     {0x50b27f0c, 0xd4d0805e, 0x0929332a, 0x5b72a7e0, 0x17d86eae, 0x1415563d}},
};

TEST(RealText, DigestsEqualTheReferences) {
  const std::string data = test::real_data("");
  if (data.empty()) GTEST_SKIP() << "needs the real data";
  for (const Digest& digest : kDigests) {
    SCOPED_TRACE(digest.book);
    const InstanceSet set = make(data + "books/" + digest.book,
                                 data + "vocab/bert-base-uncased-vocab.txt", digest.options, 2);
    EXPECT_EQ(set.size(), digest.rows);
    const Columns ours = columns_of(set);
    const std::vector<uint32_t> crcs = {crc_of(ours.ids),      crc_of(ours.mask),
                                        crc_of(ours.segments), crc_of(ours.positions),
                                        crc_of(ours.labels),   crc_of(ours.next)};
    EXPECT_EQ(crcs, digest.crcs);
  }
}

class CorpusTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = folder_.file(name);
    test::write_all(path, text);
    return path;
  }
  Corpus read(const std::vector<std::string>& files, int64_t threads = 1) {
    return read_corpus(files, tokenizer_, threads);
  }
  std::string error_of(const std::vector<std::string>& files) {
    try {
      read(files);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  test::TemporaryFolder folder_;
  text::Vocabulary vocabulary_ = text::Vocabulary::load(kFixtures + "vocab.txt");
  text::Tokenizer tokenizer_{vocabulary_, {true, text::TokenRules::kRecipe}};
};

TEST_F(CorpusTest, OpenDocumentContinuesInTheNextFile) {
  const std::string first = "rain\nwind\n\nsalt\n";
  const std::string second = "sea\n\nrain rain\n";
  const Corpus apart = read({write("a", first), write("b", second)});
  const Corpus joined = read({write("c", first + second)});
  EXPECT_EQ(apart.ids, joined.ids);
  EXPECT_EQ(apart.segment_start, joined.segment_start);
  EXPECT_EQ(apart.document_start, (std::vector<int64_t>{0, 2, 4, 5}));
  EXPECT_EQ(joined.document_start, apart.document_start);
}

// The text is longer than the blocks into which a file is split, and lines cross block ends.
TEST_F(CorpusTest, TokensDoNotDependOnThreads) {
  std::string text;
  for (int line = 0; text.size() < 3'500'000; ++line) {
    text += line % 17 == 0 ? "\n" : "the ferry left the harbour before the sun was up\r\n";
  }
  const std::string path = write("long", text);
  const Corpus one = read({path}, 1);
  const Corpus three = read({path}, 3);
  EXPECT_GT(one.documents(), 1000);
  EXPECT_EQ(one.ids, three.ids);
  EXPECT_EQ(one.segment_start, three.segment_start);
  EXPECT_EQ(one.document_start, three.document_start);
}

TEST_F(CorpusTest, ErrorsNameTheFile) {
  const std::string blank = write("blank.txt", "\n \n\xc2\xa0\n");
  EXPECT_NE(error_of({blank}).find("no document in " + blank), std::string::npos);
  const std::string empty = write("empty.txt", "");
  EXPECT_NE(error_of({empty}).find("no document in " + empty), std::string::npos);
  const std::string latin = write("latin.txt", "rain\ncaf\xe9 au lait\n");
  EXPECT_NE(error_of({latin}).find(latin + ": byte 8 is not UTF-8"), std::string::npos);
  EXPECT_NE(error_of({folder_.file("none.txt")}).find("none.txt"), std::string::npos);
}

TEST_F(CorpusTest, OptionsOutOfRangeAreNamed) {
  const auto error_for = [](const InstanceOptions& options) -> std::string {
    try {
      check_options(options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_for({}), "");
  EXPECT_NE(error_for(options_of(4, 20, 1)).find("--max-seq-length 4"), std::string::npos);
  EXPECT_NE(error_for(options_of(128, 0, 1)).find("--max-predictions-per-seq 0"),
            std::string::npos);
  EXPECT_NE(error_for(options_of(128, 20, 0)).find("--dupe-factor 0"), std::string::npos);
  EXPECT_NE(error_for(options_of(128, 20, 1, 1, 1.5)).find("--masked-lm-prob 1.5"),
            std::string::npos);
}

// The reference's tokenizer rejects more than 512 ids for every --max_seq_length.
TEST_F(CorpusTest, InstancesOver512TokensAreRejected) {
  std::string text;
  for (int line = 0; line < 200; ++line) text += "the ferry left the harbour before the sun\n";
  Corpus corpus = read({write("long.txt", text)});
  EXPECT_THROW(InstanceSet(corpus, vocabulary_, options_of(600, 80, 1)), Error);
  EXPECT_GT(InstanceSet(corpus, vocabulary_, options_of(512, 80, 1)).size(), 0);
}

}  // namespace
}  // namespace bertha::dataset
