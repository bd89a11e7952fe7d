#include "prepare/sources.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/error.h"
#include "io/atomic_file.h"
#include "support/files.h"

namespace bertha::prepare {
namespace {

TEST(Sources, AddressesAndChecksumsAreWellFormed) {
  EXPECT_EQ(wikipedia_prefix("en", "latest"),
            "https://dumps.wikimedia.org/enwiki/latest/enwiki-latest-");
  EXPECT_EQ(wikipedia_prefix("zh-min-nan", "20240101"),
            "https://dumps.wikimedia.org/zh_min_nanwiki/20240101/zh_min_nanwiki-20240101-");
  for (const char* language : {"", "e", "../../x", "en/"}) {
    EXPECT_THROW(wikipedia_prefix(language, "latest"), Error) << language;
  }
  EXPECT_THROW(wikipedia_prefix("en", "2024-01-01"), Error);
  EXPECT_EQ(at_mirror("https://a.org/b/c", ""), "https://a.org/b/c");
  EXPECT_EQ(at_mirror("https://a.org/b/c", "http://m:8/x/"), "http://m:8/x/b/c");
  EXPECT_THROW(at_mirror("https://a.org/b/c", "ftp://m"), Error);
}

TEST(Mirror, FolderHasTheFileByHostByPathOrByName) {
  const test::TemporaryFolder folder;
  const std::string mirror = folder.path().string();
  EXPECT_THROW(at_mirror("https://a.org/b/c", mirror), Error);
  for (const char* below : {"c", "b/c", "a.org/b/c"}) {
    const std::filesystem::path path = folder.path() / below;
    std::filesystem::create_directories(path.parent_path());
    io::write_file(path.string(), "x");
    EXPECT_EQ(at_mirror("https://a.org/b/c", mirror), path.string());
    EXPECT_EQ(at_mirror("https://a.org/b/c", "file://" + mirror), path.string());
  }
  const std::string sum(40, 'a');
  EXPECT_EQ(find_dump_digest("0123  enwiki-20240101-pages-articles.xml.bz2\n" +
                             std::string(40, 'b') + "  enwiki-20240101-pages-articles1.xml.bz2\n" +
                             sum + "  enwiki-20240101-pages-articles.xml.bz2\n"),
            sum);
  EXPECT_EQ(find_dump_digest("no list"), "");
  for (const GoogleModel& model : google_models()) {
    EXPECT_TRUE(model.url.ends_with(std::string(model.folder) + ".zip"));
    for (const auto digest : {model.config_sha256, model.data_sha256, model.index_sha256,
                              model.meta_sha256, model.vocab_sha256}) {
      EXPECT_EQ(digest.size(), 64U);
    }
  }
}

}  // namespace
}  // namespace bertha::prepare
