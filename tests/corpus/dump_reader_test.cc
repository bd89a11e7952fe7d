#include "corpus/dump_reader.h"

#include <memory>
#include <vector>

#include "io/archive/byte_source.h"
#include "support/samples.h"

namespace bertha::corpus {
namespace {

constexpr std::string_view kHead =
    "<mediawiki version=\"0.10\"><siteinfo><base>https://xx.wikipedia.org/wiki/Main</base>"
    "<namespaces><namespace key=\"1\">Sprīža</namespace><namespace key=\"0\" /></namespaces>"
    "</siteinfo>";

/// A number of 0 is none.
std::string page(const std::string& title, const std::string& inside, const std::string& text,
                 int id = 0) {
  return "<page><title>" + title + "</title>" + inside + "<id>" + std::to_string(id) +
         "</id><revision><id>99</id><text xml:space=\"preserve\">" + text +
         "</text></revision></page>";
}

/// Bytes in pieces of one size. With one byte at a time, expat reads everything.
class Pieces : public io::ByteSource {
 public:
  Pieces(std::string_view bytes, size_t piece_bytes) : rest_(bytes), piece_bytes_(piece_bytes) {}
  std::string_view next() override {
    const std::string_view piece = rest_.substr(0, piece_bytes_);
    rest_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view rest_;
  size_t piece_bytes_;
};

/// The reader keeps views into the text, which is therefore stored here.
struct Read {
  explicit Read(std::string xml, size_t piece_bytes = size_t{1} << 18)
      : text(std::move(xml)), reader(std::make_unique<Pieces>(text, piece_bytes)) {
    while (auto next = reader.next()) pages.push_back(std::move(*next));
  }
  std::string text;
  DumpReader reader;
  std::vector<Page> pages;
};

TEST(DumpReader, ReadsAPage) {
  const Read read(std::string(kHead) +
                  page("A &amp; B", "<ns>0</ns>", "x &lt;ref&gt; &amp;nbsp;", 7) + "</mediawiki>");
  ASSERT_EQ(read.pages.size(), 1U);
  EXPECT_EQ(read.pages[0].title, "A & B");
  EXPECT_EQ(read.pages[0].text, "x <ref> &nbsp;");
  EXPECT_EQ(read.pages[0].id, 7);
  EXPECT_EQ(read.pages[0].revision, 99);
  EXPECT_EQ(read.reader.site().page_url(7), "https://xx.wikipedia.org/wiki?curid=7");
  EXPECT_EQ(read.reader.damage(), "");
}

TEST(DumpReader, ReturnsArticlesOnly) {
  const Read read(std::string(kHead) + page("Talk:A", "<ns>1</ns>", "t") +
                  page("B", "<ns>0</ns><redirect title=\"C\" />", "r") +
                  page("Old", "", "#REDIRECT [[New]]") + page("Sprīža:C", "", "old schema") +
                  page("Alt", "", "#転送 [[新]]") + page("E", "<ns>0</ns>", "  \n") +
                  page("Alien: film", "", "an article") + "</mediawiki>");
  ASSERT_EQ(read.pages.size(), 1U);
  EXPECT_EQ(read.pages[0].title, "Alien: film");
  const DumpCounts& counts = read.reader.counts();
  EXPECT_EQ(counts.pages, 7);
  EXPECT_EQ(counts.redirects, 3);
  EXPECT_EQ(counts.other_namespaces, 2);
  EXPECT_EQ(counts.empty, 1);
}

TEST(DumpReader, PageWithHistoryGivesItsLastRevision) {
  const Read read(
      "<mediawiki><page><title>A</title><id>1</id><revision><id>2</id><text>old</text>"
      "</revision><revision><id>3</id><text>new</text></revision></page></mediawiki>");
  ASSERT_EQ(read.pages.size(), 1U);
  EXPECT_EQ(read.pages[0].text, "new");
  EXPECT_EQ(read.pages[0].revision, 3);
  EXPECT_EQ(read.pages[0].id, 1);
}

std::string revision(const char* id, const char* time, const char* text) {
  return std::string("<revision><id>") + id + "</id>" + time + "<text>" + text +
         "</text></revision>";
}

TEST(DumpReader, NewestRevisionIsFoundByTimeThenByNumber) {
  const std::string early = "<timestamp>2019-01-01T00:00:00Z</timestamp>";
  const std::string late = "<timestamp>2020-01-01T00:00:00Z</timestamp>";
  for (const std::string& revisions :
       {revision("2", late.c_str(), "new") + revision("3", early.c_str(), "old"),
        revision("3", early.c_str(), "old") + revision("2", late.c_str(), "new"),
        revision("9", "", "new") + revision("8", "", "old"),
        revision("9", early.c_str(), "new") + revision("8", early.c_str(), "old")}) {
    const Read read("<mediawiki><page><title>A</title><id>1</id>" + revisions +
                    "</page></mediawiki>");
    ASSERT_EQ(read.pages.size(), 1U);
    EXPECT_EQ(read.pages[0].text, "new") << revisions;
  }
}

TEST(DumpReader, PageThatFollowsItselfIsReadOnce) {
  const std::string dump = "<mediawiki>" + page("A", "", "first", 1) + page("A", "", "second", 1) +
                           page("B", "", "third", 1) + "</mediawiki>";
  for (const size_t piece_bytes : {size_t{1}, dump.size()}) {
    const Read read(dump, piece_bytes);
    ASSERT_EQ(read.pages.size(), 2U);
    EXPECT_EQ(read.pages[0].text, "second");
    EXPECT_EQ(read.reader.counts().repeated, 1);
    EXPECT_EQ(read.reader.counts().articles, 2);
  }
}

TEST(DumpReader, JoinedDumpsAndRowsOfPagesAreReadToTheEnd) {
  const std::string a = page("A", "<ns>0</ns>", "x &amp; y", 1);
  const std::string b = page("B", "<ns>0</ns>", "z", 2);
  const std::string first = std::string(kHead) + a + "</mediawiki>";
  const std::string second = std::string(kHead) + b + "</mediawiki>";
  for (const std::string& dump :
       {first + second, first + "\n\n" + second + "\n<!-- end -->\n",
        "<?xml version=\"1.0\"?>\n" + first + "\n<?xml version=\"1.0\"?>\n" + second, a + b,
        a + "\n" + b + "\n", first + "\n" + b}) {
    for (const size_t piece_bytes : {size_t{1}, size_t{7}, size_t{100}, dump.size()}) {
      const Read read(dump, piece_bytes);
      ASSERT_EQ(read.pages.size(), 2U) << dump;
      EXPECT_EQ(read.pages[0].text, "x & y");
      EXPECT_EQ(read.pages[1].text, "z");
      EXPECT_EQ(read.reader.damage(), "") << dump;
      EXPECT_EQ(read.reader.counts().xml_bytes, static_cast<int64_t>(dump.size()));
    }
  }
}

TEST(DumpReader, ErrorBehindARootNamesItsLine) {
  const Read read("<mediawiki>\n" + page("A", "", "x", 1) + "\n</mediawiki>\n\njunk\n");
  EXPECT_EQ(read.pages.size(), 1U);
  EXPECT_NE(read.reader.damage().find("line 5"), std::string::npos) << read.reader.damage();
}

TEST(DumpReader, TruncatedFileGivesItsCompletePages) {
  const std::string one = std::string(kHead) + page("A", "<ns>0</ns>", "first");
  const std::string two = one + page("B", "<ns>0</ns>", "second");
  for (size_t size = one.size(); size < two.size(); ++size) {
    const Read read(two.substr(0, size));
    ASSERT_EQ(read.pages.size(), 1U) << size;
    EXPECT_NE(read.reader.damage().find("cut off"), std::string::npos) << size;
  }
}

// Each error ends its own page only, however the bytes are cut into pieces.
TEST(DumpReader, ErrorInThePageLosesThatPageAlone) {
  const std::string good = page("C", "<ns>0</ns>", "third\n", 3);
  for (const std::string& broken :
       {page("B", "<ns>0</ns>", "a & b", 2), page("B", "", "a \x01 b", 2),
        page("B", "", "caf\xE9 b", 2), page("B", "", "&nope;", 2), page("B", "<ns>0<ns>", "x", 2),
        std::string("<page><title>B</title><id>2</id><revision><text>x</text></revision>"),
        std::string("<page><title>B</title><id>2</id><revision><text>x</text></page>"),
        std::string("<page><title a=\"B</title><id>2</id></page>")}) {
    const std::string dump = std::string(kHead) + "\n" + page("A", "", "first", 1) + "\n" + broken +
                             "\n" + good + page("D", "", "x &amp; y", 4) + "\n</mediawiki>\n";
    const Read expected(dump, 1);
    for (const size_t piece_bytes : {size_t{1}, size_t{7}, size_t{100}, dump.size()}) {
      const Read read(dump, piece_bytes);
      ASSERT_EQ(read.pages.size(), 3U) << broken;
      EXPECT_EQ(read.pages[1].text, "third\n");
      EXPECT_EQ(read.pages[2].text, "x & y");
      EXPECT_EQ(read.reader.counts().pages, 3);
      EXPECT_EQ(read.reader.counts().broken, 1);
      EXPECT_EQ(read.reader.counts().xml_bytes, static_cast<int64_t>(dump.size()));
      EXPECT_EQ(read.reader.site().page_url(7), "https://xx.wikipedia.org/wiki?curid=7");
      const std::string& damage = read.reader.damage();
      EXPECT_NE(damage.find("at 1 such place 1 page broke off"), std::string::npos) << damage;
      EXPECT_EQ(damage, expected.reader.damage());
    }
  }
}

TEST(DumpReader, ErrorsBetweenPagesAreCountedAndTheFirstIsNamed) {
  const std::string dump = "<mediawiki>\n" + page("A", "", "x", 1) + "\n</oops>\n" +
                           page("B", "", "y", 2) + "\n<p&ge>\n" + page("C", "", "z &", 3) +
                           "<?xml version=\"1.0\"?>" + std::string(kHead) + page("D", "", "z", 4) +
                           "</mediawiki>";
  const Read read(dump);
  EXPECT_EQ(read.pages.size(), 3U);
  const std::string& damage = read.reader.damage();
  EXPECT_EQ(damage.find("line 3: "), 0U) << damage;
  EXPECT_NE(damage.find("at 2 such places 1 page broke off"), std::string::npos) << damage;
  const Read cut(dump.substr(0, dump.find("<title>D")));
  EXPECT_EQ(cut.pages.size(), 2U);
  EXPECT_NE(cut.reader.damage().find("; the XML is cut off in line 6"), std::string::npos)
      << cut.reader.damage();
}

TEST(DumpReader, FastPathReadsTextsAsExpatDoes) {
  for (const std::string text : {"a &lt;&gt;&amp;&quot;&apos; b",
                                 "&amp;lt;",
                                 "a&#160;b &lt;",
                                 "a &nope; b",
                                 "x ]] > ]]&gt; ]]",
                                 "a ]]> b",
                                 "]]<!-- x -->> y",
                                 "<![CDATA[<text> ]]]]><![CDATA[> & ]]> z",
                                 "a\r\nb\rc\n",
                                 "Sprīža 日本 \xF0\x9F\x98\x80",
                                 "\xEF\xBF\xBD",
                                 "\xEF\xBF\xBE",
                                 "a\xFF",
                                 "a\xC3",
                                 "\xED\xA0\x80",
                                 "tab\t \x01",
                                 "a <b>c</b> d",
                                 "a <text>b</text> c",
                                 "a <text/> c",
                                 "a &",
                                 "a > b"}) {
    const std::string dump = std::string(kHead) + page("A", "", text) + page("B", "", "y &amp; z");
    const Read expected(dump, 1);
    for (const size_t piece_bytes : {size_t{7}, size_t{64}, size_t{100}, dump.size()}) {
      const Read read(dump, piece_bytes);
      ASSERT_EQ(read.pages.size(), expected.pages.size()) << text;
      for (size_t i = 0; i < read.pages.size(); ++i) {
        EXPECT_EQ(read.pages[i].text, expected.pages[i].text) << text;
      }
      EXPECT_EQ(read.reader.damage(), expected.reader.damage()) << text;
    }
  }
}

TEST(DumpReader, DeclaredEncodingIsUsed) {
  const Read read("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><mediawiki>" +
                  page("A", "", "caf\xE9 \xC3\xA9") + "</mediawiki>");
  ASSERT_EQ(read.pages.size(), 1U);
  EXPECT_EQ(read.pages[0].text, "café Ã©");
}

TEST(DumpReader, EncodingIsKeptBehindAnError) {
  const Read read("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><mediawiki>" +
                  page("A", "", "&") + page("B", "", "caf\xE9") + "</mediawiki>");
  ASSERT_EQ(read.pages.size(), 1U);
  EXPECT_EQ(read.pages[0].text, "café");
}

TEST(DumpReader, DamageNamesTheLine) {
  const Read read("<mediawiki>\n" + page("A", "", "one\ntwo\n") + "\n" +
                  page("B", "", "three\n\x01"));
  EXPECT_EQ(read.pages.size(), 1U);
  EXPECT_NE(read.reader.damage().find("line 6"), std::string::npos) << read.reader.damage();
}

// After its first MiB: expat does not report its position after a piece that does not end a tag.
TEST(DumpReader, LargeDumpInSmallPiecesIsRead) {
  std::string dump(kHead);
  int pages = 0;
  for (; dump.size() < size_t{5} << 18; ++pages) dump += page("A", "", std::string(9999, 'x'));
  const Read read(dump + "</mediawiki>", 7);
  EXPECT_EQ(read.pages.size(), static_cast<size_t>(pages));
  EXPECT_EQ(read.reader.damage(), "");
}

TEST(DumpReader, DoctypeBadNestingAndDeepNestingAreRejected) {
  EXPECT_NE(Read("<!DOCTYPE x [<!ENTITY a \"b\">]><mediawiki>&a;</mediawiki>").reader.damage(), "");
  EXPECT_NE(Read("<mediawiki><page></mediawiki>").reader.damage().find("line 1"),
            std::string::npos);
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_NE(Read(deep).reader.damage().find("too deep"), std::string::npos);
  EXPECT_NE(Read("<a b='" + std::string(3 << 20, 'x')).reader.damage(), "");
}

TEST(DumpReader, OversizedTextsAreSkippedAndCounted) {
  const Read read("<mediawiki>" +
                  page("Long", "", std::string(DumpReader::kMaxTextBytes + 1, 'x')) +
                  page("Short", "", "y") + "</mediawiki>");
  ASSERT_EQ(read.pages.size(), 1U);
  EXPECT_EQ(read.pages[0].title, "Short");
  EXPECT_EQ(read.reader.counts().oversized, 1);
}

// expat returns a text that continues in the next piece of the file in two parts.
TEST(DumpReader, LongTitleIsTruncatedTheSameAtEveryOffset) {
  for (const size_t before : {size_t{0}, size_t{63'000}}) {
    const Read read("<mediawiki><!--" + std::string(before, 'x') + "-->" +
                    page(std::string(5000, 'T'), "", "y") + page("Short", "", "z") +
                    "</mediawiki>");
    ASSERT_EQ(read.pages.size(), 2U);
    EXPECT_EQ(read.pages[0].title, "") << before;
    EXPECT_EQ(read.pages[1].title, "Short");
  }
}

}  // namespace
}  // namespace bertha::corpus
