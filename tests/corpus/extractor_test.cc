#include "corpus/extractor.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "corpus/formatting.h"
#include "support/samples.h"

namespace bertha::corpus {
namespace {

std::string small_dump(int pages, int first = 1) {
  std::string xml = "<mediawiki>";
  for (int i = first; i < first + pages; ++i) {
    const std::string id = std::to_string(i);
    xml += "<page><title>T" + id + "</title><ns>0</ns><id>" + id +
           "</id><revision><id>5</id><text>" + "'''Words''' of page " + id + ". " +
           test::noise(static_cast<size_t>(i % 50) * 100) + "</text></revision></page>";
  }
  return xml + "</mediawiki>";
}

ExtractCounts extract(const std::string& dump, const std::string& output, int64_t threads = 1,
                      bool json = false, int64_t bytes = 1 << 20) {
  ExtractOptions options;
  options.output_dir = output;
  options.threads = threads;
  options.form = json ? ArticleForm::kJson : ArticleForm::kBlock;
  options.file_bytes = bytes;
  return extract_dump({{dump}}, options);
}

TEST(ExtractDump, FilesHaveTheBlocksOfWikiExtractor) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("d.xml"), small_dump(1));
  const ExtractCounts counts = extract(folder.file("d.xml"), folder.file("out"));
  ASSERT_EQ(counts.files.size(), 1U);
  const std::string text = test::read_all(counts.files[0]);
  EXPECT_TRUE(text.starts_with(
      "<doc id=\"1\" url=\"https://en.wikipedia.org/wiki?curid=1\" title=\"T1\">\nT1\n\n"
      "Words of page 1. "));
  EXPECT_TRUE(text.ends_with("\n\n</doc>\n"));
  EXPECT_EQ(counts.files[0], folder.file("out/AA/wiki_00"));
}

TEST(ExtractDump, ThreadsAndCompressedInputDoNotChangeTheBytes) {
  test::TemporaryFolder folder;
  const std::string xml = small_dump(600);
  test::write_all(folder.file("d.xml"), xml);
  test::write_all(folder.file("d.xml.bz2"), test::bzip2(xml));
  std::vector<std::string> first;
  for (const std::string name : {"d.xml", "d.xml.bz2"}) {
    for (const int64_t threads : {1, 2, 8}) {
      const ExtractCounts counts =
          extract(folder.file(name), folder.file("out"), threads, false, 100'000);
      EXPECT_EQ(counts.written, 600);
      std::vector<std::string> contents;
      for (const std::string& file : counts.files) {
        contents.push_back(test::read_all(file));
        EXPECT_LE(contents.back().size(), 100'000U);
      }
      EXPECT_GT(contents.size(), 10U);
      if (first.empty()) first = contents;
      EXPECT_TRUE(contents == first) << name << " " << threads;
    }
  }
}

TEST(ExtractDump, CompressedFilesHoldTheSameText) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("d.xml"), small_dump(600));
  ExtractOptions options;
  options.file_bytes = 1'000'000;
  options.output_dir = folder.file("plain");
  const std::vector<std::string> plain = extract_dump({{folder.file("d.xml")}}, options).files;
  ASSERT_GE(plain.size(), 2U);
  options.compress = true;
  std::vector<std::string> first;
  for (const int64_t threads : {1, 2, 8}) {
    options.output_dir = folder.file(std::to_string(threads));
    options.threads = threads;
    const std::vector<std::string> files = extract_dump({{folder.file("d.xml")}}, options).files;
    ASSERT_EQ(files.size(), plain.size());
    std::vector<std::string> contents;
    for (size_t i = 0; i < files.size(); ++i) {
      EXPECT_TRUE(files[i].ends_with(fmt::format("AA/wiki_{:02}.bz2", i)));
      std::string expanded;
      const auto source = io::open_source(files[i], 1);
      for (auto part = source->next(); !part.empty(); part = source->next()) expanded += part;
      EXPECT_EQ(source->damage(), "");
      EXPECT_TRUE(expanded == test::read_all(plain[i])) << files[i];
      contents.push_back(test::read_all(files[i]));
    }
    if (first.empty()) first = contents;
    EXPECT_TRUE(contents == first) << threads;
  }
}

TEST(ExtractDump, SinkGetsTheTextAndNoFileIsWritten) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("d.xml"), small_dump(60));
  const ExtractCounts files = extract(folder.file("d.xml"), folder.file("out"), 1, false, 50'000);
  std::string expected;
  for (const std::string& file : files.files) expected += test::read_all(file);
  ASSERT_GT(files.files.size(), 1U);
  ExtractOptions options;
  options.threads = 2;
  options.output_dir = folder.file("none");
  std::string got;
  options.sink = [&got](std::string_view text) { got += text; };
  EXPECT_EQ(extract_dump({{folder.file("d.xml")}}, options).written, 60);
  EXPECT_TRUE(got == expected);
  EXPECT_FALSE(std::filesystem::exists(folder.file("none")));
}

TEST(ExtractDump, ProgressRisesToTheSizeOfTheFile) {
  test::TemporaryFolder folder;
  const std::string xml = small_dump(600);
  test::write_all(folder.file("d.xml"), xml);
  test::write_all(folder.file("d.xml.bz2"), test::bzip2(xml));
  for (const std::string name : {"d.xml", "d.xml.bz2"}) {
    const auto size = static_cast<int64_t>(std::filesystem::file_size(folder.file(name)));
    std::vector<int64_t> reported;
    ExtractOptions options;
    options.output_dir = folder.file("out");
    options.progress = [&](int64_t done, int64_t total) {
      EXPECT_EQ(total, size);
      reported.push_back(done);
    };
    extract_dump({{folder.file(name)}}, options);
    EXPECT_GT(reported.size(), 3U);
    EXPECT_TRUE(std::ranges::is_sorted(reported));
    EXPECT_LT(reported.front(), size / 2);
    EXPECT_GT(reported.back(), size - size / 10);
    EXPECT_LE(reported.back(), size);
  }
}

TEST(ExtractDump, PartsFollowEachOtherEvenWhenOneIsCutOff) {
  test::TemporaryFolder folder;
  const std::string one = small_dump(3);
  test::write_all(folder.file("1.xml"), one.substr(0, one.size() - 100));
  test::write_all(folder.file("2.xml"), small_dump(2, 10));
  ExtractOptions options;
  options.output_dir = folder.file("out");
  const std::vector<DumpPart> parts = {{folder.file("1.xml")}, {folder.file("2.xml")}};
  const ExtractCounts counts = extract_dump(parts, options);
  EXPECT_EQ(counts.written, 4);
  EXPECT_EQ(counts.dump.pages, 4);
  EXPECT_TRUE(counts.damage.starts_with(folder.file("1.xml") + ": ")) << counts.damage;
  EXPECT_THROW(extract_dump({{folder.file("2.xml")}, {folder.file("none.xml")}}, options), Error);
}

/// The titles of the articles in `text`, in order.
std::string titles_in(const std::string& text) {
  std::string titles;
  for (size_t at = text.find("title=\""); at != std::string::npos;
       at = text.find("title=\"", at + 1)) {
    titles += text.substr(at + 7, text.find('"', at + 7) - at - 7) + " ";
  }
  return titles;
}

TEST(ExtractDump, ArticleThatComesAgainAnywhereIsWrittenOnce) {
  test::TemporaryFolder folder;
  const std::string twice = small_dump(2) + small_dump(1, 1) + small_dump(1, 3);
  test::write_all(folder.file("1.xml"), twice);
  test::write_all(folder.file("2.xml"), small_dump(3, 2));
  const std::string other_wiki =
      "<mediawiki><siteinfo><base>https://xx.wikipedia.org/wiki/Main</base></siteinfo>" +
      small_dump(1).substr(11);
  test::write_all(folder.file("3.xml"), other_wiki);
  ExtractOptions options;
  options.output_dir = folder.file("out");
  options.threads = 3;
  const std::vector<DumpPart> parts = {
      {folder.file("1.xml")}, {folder.file("2.xml")}, {folder.file("3.xml")}};
  const ExtractCounts counts = extract_dump(parts, options);
  EXPECT_EQ(titles_in(test::read_all(counts.files.at(0))), "T1 T2 T3 T4 T1 ");
  EXPECT_EQ(counts.dump.pages, 8);
  EXPECT_EQ(counts.dump.repeated, 3);
  EXPECT_EQ(counts.dump.articles, 5);
}

TEST(ExtractDump, FilesOfALargerRunAreRemoved) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("large.xml"), small_dump(20));
  test::write_all(folder.file("small.xml"), small_dump(2));
  EXPECT_EQ(extract(folder.file("large.xml"), folder.file("out"), 1, false, 0).files.size(), 20U);
  EXPECT_EQ(extract(folder.file("small.xml"), folder.file("out"), 1, false, 0).files.size(), 2U);
  EXPECT_FALSE(std::filesystem::exists(folder.file("out/AA/wiki_02")));
  EXPECT_FALSE(std::filesystem::exists(folder.file("out/AA/wiki_19")));
  ExtractOptions packed;
  packed.output_dir = folder.file("out");
  packed.compress = true;
  EXPECT_EQ(extract_dump({{folder.file("small.xml")}}, packed).files.size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(folder.file("out/AA/wiki_00")));
  test::write_all(folder.file("out/BC/wiki_77"), "of another run");
  test::write_all(folder.file("out/BC/wiki_notes"), "not ours");
  extract(folder.file("small.xml"), folder.file("out"));
  EXPECT_FALSE(std::filesystem::exists(folder.file("out/BC/wiki_77")));
  EXPECT_TRUE(std::filesystem::exists(folder.file("out/BC/wiki_notes")));
}

TEST(ExtractDump, JsonFormIsALineForEachArticle) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("d.xml"), small_dump(3));
  extract(folder.file("d.xml"), folder.file("out"), 1, true);
  std::ifstream file(folder.file("out/AA/wiki_00"));
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const auto article = nlohmann::json::parse(line);
  EXPECT_EQ(article["id"], "1");
  EXPECT_EQ(article["revid"], "5");
  EXPECT_EQ(article["title"], "T1");
  EXPECT_TRUE(article["text"].get<std::string>().starts_with("Words of page 1. "));
}

TEST(ExtractDump, DumpWithoutProseIsAnError) {
  test::TemporaryFolder folder;
  for (const char* xml : {"", "<mediawiki></mediawiki>", "no xml at all",
                          "<mediawiki><page><title>A</title><id>1</id><revision><text>{{x}}</text>"
                          "</revision></page></mediawiki>"}) {
    test::write_all(folder.file("d.xml"), xml);
    EXPECT_THROW(extract(folder.file("d.xml"), folder.file("out")), Error) << xml;
  }
  EXPECT_THROW(extract(folder.file("none.xml"), folder.file("out")), Error);
}

TEST(FormatArticle, TextFormHasNoTitle) {
  EXPECT_EQ(format_article(Page(), "u", "a\nb\n", ArticleForm::kText), "a\nb\n\n\n");
}

TEST(FormatArticle, MarksWithinTheTextGetABlank) {
  Page page;
  page.title = "A \"quoted\" title";
  const std::string block = format_article(page, "u", "x </doc> <doc id= y\n", ArticleForm::kBlock);
  EXPECT_EQ(block,
            "<doc id=\"0\" url=\"u\" title=\"A &quot;quoted&quot; title\">\nA \"quoted\" title\n\n"
            "x < /doc> < doc id= y\n\n</doc>\n");
}

std::vector<std::string> streamed_lines(const std::string& dump) {
  const std::unique_ptr<LineSource> source = stream_articles({DumpPart{dump}}, {});
  std::vector<std::string> lines;
  while (const std::optional<LineSource::Job> job = source->next()) {
    for (std::string& line : (*job)()) lines.push_back(std::move(line));
  }
  return lines;
}

TEST(StreamArticles, LinesAreThoseThatFormatArticlesWrites) {
  test::TemporaryFolder folder;
  std::string xml = "<mediawiki>";
  for (const char* title : {"Plain", "A &quot;quoted&quot; &lt;/doc> title", "&lt;doc id=\"7\">",
                            "Two\nlines", "&lt;/doc>"}) {
    xml += fmt::format(
        "<page><title>{}</title><ns>0</ns><revision><text>First  line. \n\n"
        "&lt;nowiki>&lt;/doc>&lt;/nowiki> and &lt;nowiki>&lt;doc id=&lt;/nowiki> are words."
        "</text></revision></page>",
        title);
  }
  test::write_all(folder.file("d.xml"), xml + "</mediawiki>");
  extract(folder.file("d.xml"), folder.file("out"));
  EXPECT_EQ(format_articles(folder.file("out"), folder.file("out.txt")).documents, 5);
  std::string joined;
  const std::vector<std::string> lines = streamed_lines(folder.file("d.xml"));
  for (const std::string& line : lines) joined += line + "\n\n";
  EXPECT_EQ(joined, test::read_all(folder.file("out.txt")));
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_NE(lines.front().find("< /doc>"), std::string::npos) << lines.front();
  EXPECT_NE(lines.front().find("< doc id="), std::string::npos) << lines.front();
}

TEST(JoinLines, EmptyLinesAndTrailingBlanksAreDropped) {
  EXPECT_EQ(join_lines("One. \t\n\n  Two.\r\n \nThree."), "One.   Two. Three. ");
  EXPECT_EQ(join_lines(" \n\n"), "");
  EXPECT_EQ(join_lines(""), "");
}

TEST(FormatArticles, LinesAreJoinedAndTitlesDropped) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("in/AB/wiki_00"), "<doc id=\"2\">\nB\n\nLast.\n\n</doc>\n");
  test::write_all(folder.file("in/AA/wiki_01"),
                  "<doc id=\"1\">\nA\n\nOne.  \n\nTwo.\n\n</doc>\n"
                  "<doc id=\"9\">\nEmpty\n\n</doc>\n");
  const FormatCounts counts = format_articles(folder.file("in"), folder.file("out.txt"));
  EXPECT_EQ(test::read_all(folder.file("out.txt")), "One. Two. \n\nLast. \n\n");
  EXPECT_EQ(counts.documents, 2);
  EXPECT_EQ(counts.empty, 1);
  EXPECT_THROW(format_articles(folder.file("none"), folder.file("out.txt")), Error);
}

TEST(FormatBooks, ByteOrderMarkAndLicenceAreDropped) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("in/b.txt"), "\xef\xbb\xbf First line\r\n\r\n  second \r\n");
  test::write_all(folder.file("in/c.txt"),
                  "licence\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\nThe book.\n"
                  "*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nlicence\n");
  const FormatCounts counts = format_books(folder.file("in"), folder.file("out.txt"));
  EXPECT_EQ(test::read_all(folder.file("out.txt")), "First line second \n\nThe book. \n\n");
  EXPECT_EQ(counts.documents, 2);
}

}  // namespace
}  // namespace bertha::corpus
