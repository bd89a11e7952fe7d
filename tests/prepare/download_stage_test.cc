// What is fetched from where, without a network: the callback that fetches is a fake.

#include "prepare/download_stage.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "prepare/sources.h"
#include "support/files.h"

namespace bertha::prepare {
namespace {

struct Fetched {
  std::string url;
  std::string path;
  std::string digest;
};

/// Records what is asked for, and fails at the file number `fails_at`.
struct FakeNetwork {
  std::vector<Fetched> fetched = {};
  std::vector<std::string> done = {};
  size_t fails_at = 100;

  DownloadCallbacks callbacks() {
    return {.fetch =
                [this](const std::string& url, const std::string& path, const std::string& digest) {
                  if (fetched.size() == fails_at) fail("{}: refused", url);
                  fetched.push_back({url, path, digest});
                  test::write_all(path, "no archive");
                },
            .done = [this](const std::string& path) { done.push_back(path); }};
  }
};

TEST(DownloadStage, SquadFilesComeFromTheMirrorWithTheirChecksums) {
  test::TemporaryFolder folder;
  FakeNetwork network;
  run_download({.name = "squad", .mirror = "http://m/", .output_dir = folder.file("s")},
               network.callbacks());
  ASSERT_EQ(network.fetched.size(), squad_files().size());
  EXPECT_EQ(network.fetched[0].url, "http://m/SQuAD-explorer/dataset/train-v1.1.json");
  EXPECT_EQ(network.fetched[0].path, folder.file("s/v1.1/train-v1.1.json"));
  EXPECT_EQ(network.fetched[0].digest, squad_files()[0].digest);
  EXPECT_EQ(network.done.front(), folder.file("s/v1.1/train-v1.1.json"));
  EXPECT_EQ(network.done.size(), 3U);
}

TEST(DownloadStage, FolderAsMirrorNeedsNoNetworkAndIsChecked) {
  test::TemporaryFolder folder;
  FakeNetwork network;
  std::filesystem::create_directories(folder.file("m"));
  test::write_all(folder.file("m/train-v1.1.json"), "of another version");
  try {
    run_download({.name = "squad", .mirror = folder.file("m"), .output_dir = folder.file("s")},
                 network.callbacks());
    FAIL() << "a wrong checksum was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("m/train-v1.1.json: md5 is"), std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(folder.file("s/v1.1/train-v1.1.json")));
  EXPECT_TRUE(network.fetched.empty());
}

TEST(DownloadStage, FilesBeforeAFailureAreReported) {
  test::TemporaryFolder folder;
  FakeNetwork network{.fails_at = 1};
  EXPECT_THROW(run_download({.name = "squad", .output_dir = folder.file("s")}, network.callbacks()),
               Error);
  EXPECT_EQ(network.done, (std::vector{folder.file("s/v1.1/train-v1.1.json")}));
}

TEST(DownloadStage, DamagedModelArchiveIsRemoved) {
  test::TemporaryFolder folder;
  FakeNetwork network;
  EXPECT_THROW(run_download({.name = "bert-base-uncased", .output_dir = folder.file("w")},
                            network.callbacks()),
               Error);
  ASSERT_EQ(network.fetched.size(), 1U);
  EXPECT_EQ(network.fetched[0].path, folder.file("w/uncased_L-12_H-768_A-12.zip"));
  EXPECT_FALSE(std::filesystem::exists(network.fetched[0].path));
  EXPECT_TRUE(network.done.empty());
}

TEST(DownloadStage, UnknownNameIsAnErrorThatListsTheNames) {
  try {
    run_download({.name = "bert"}, FakeNetwork().callbacks());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("\"bert\""), std::string::npos);
    EXPECT_NE(std::string(error.what()).find(download_names()), std::string::npos);
  }
}

}  // namespace
}  // namespace bertha::prepare
