// Tests on the dumps of the data folder: every article is kept once, and the prose contains no
// markup.

#include <algorithm>

#include "corpus/extractor.h"
#include "support/samples.h"

namespace bertha::corpus {
namespace {

struct Dump {
  const char* name;
  int64_t pages;
  int64_t articles;
  bool is_cut_off;
};

class RealDumps : public testing::TestWithParam<Dump> {};

TEST_P(RealDumps, ProseContainsNoMarkup) {
  const std::string data = test::real_data("");
  if (data.empty()) GTEST_SKIP() << "no data folder";
  test::TemporaryFolder folder;
  ExtractOptions options;
  options.output_dir = folder.file("out");
  options.threads = 2;
  options.file_bytes = int64_t{100} << 20;
  const ExtractCounts counts = extract_dump({{data + "/wikidumps/" + GetParam().name}}, options);
  EXPECT_EQ(counts.dump.pages, GetParam().pages);
  EXPECT_EQ(counts.written, GetParam().articles);
  EXPECT_EQ(!counts.damage.empty(), GetParam().is_cut_off) << counts.damage;
  ASSERT_EQ(counts.files.size(), 1U);
  const std::string text = test::read_all(counts.files[0]);
  for (const char* mark :
       {"{{", "}}", "{|", "|}", "\n|", "<ref", "&nbsp;", "'''", "[[File:", "style="}) {
    EXPECT_EQ(text.find(mark), std::string::npos)
        << mark << " in "
        << text.substr(text.find(mark) - std::min<size_t>(text.find(mark), 40), 80);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Wikipedias, RealDumps,
    testing::Values(Dump{"enwiki-dbpedia-minidump.xml.bz2", 24, 22, false},
                    Dump{"enwiki-gensim-table-markup.xml.bz2", 5, 5, false},
                    Dump{"enwiki-wikipedia2vec-sample.xml.bz2", 3, 2, false},
                    Dump{"enwiki-wp2txt-2014.xml.bz2", 361, 214, true},
                    Dump{"frwiki-dbpedia-20220101-history-sample.xml", 2, 2, false},
                    Dump{"itwiki-jsonwikipedia-small-dump.xml.gz", 747, 513, false},
                    Dump{"jawiki-wp2txt-testdata_ja-older.xml.bz2", 66, 48, true},
                    Dump{"tinywiki-dumpsterdive.xml", 8, 6, false},
                    Dump{"wikiextractor-test.xml", 10, 5, true}));

}  // namespace
}  // namespace bertha::corpus
