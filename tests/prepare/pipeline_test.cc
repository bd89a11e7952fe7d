// The stages and the pipeline as plain calls: nothing is printed but through the callbacks.

#include "prepare/pipeline.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "io/list_files.h"
#include "prepare/instances_stage.h"
#include "prepare/pack_stage.h"
#include "prepare/verify_stage.h"
#include "support/files.h"

namespace bertha::prepare {
namespace {

const std::string kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\na\nb\nc\nd\n";

/// Documents of `sentences` sentences each, one a line.
std::string text(int documents, int sentences) {
  std::string text;
  for (int i = 0; i < documents; ++i) {
    for (int j = 0; j < sentences; ++j) text += j % 2 == 0 ? "a b c d a b c .\n" : "d c b a .\n";
    text += "\n";
  }
  return text;
}

class Stages : public testing::Test {
 protected:
  Stages() { test::write_all(path("vocab.txt"), kVocabulary); }

  std::string path(const std::string& name) const { return folder_.file(name); }
  InstancesOptions instances() const {
    InstancesOptions options;
    options.vocab_file = path("vocab.txt");
    options.input = path("text");
    options.output = path("shards");
    options.instances.max_seq_length = 64;
    options.instances.dupe_factor = 2;
    return options;
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Stages, InstancesPackAndVerifyReturnTheirCounts) {
  for (const char* name : {"x_training_0.txt", "x_training_1.txt"}) {
    test::write_all(path(std::string("text/") + name), text(6, 9));
  }
  std::vector<int64_t> done;
  const InstancesResult made = run_instances(
      instances(), comm::alone(), [&](int64_t count, int64_t) { done.push_back(count); });
  EXPECT_EQ(made.shards, 2);
  EXPECT_EQ(made.documents, 12);
  EXPECT_EQ(made.sentences, 108);
  EXPECT_GT(made.instances, 24);
  EXPECT_EQ(done, (std::vector<int64_t>{1, 2}));

  PackOptions pack{.input_dir = path("shards"), .output_dir = path("packed")};
  pack.packing.row_length = 64;
  pack.packing.max_predictions = 20;
  int64_t sequences = 0;
  const PackResult packed = run_pack(pack, comm::alone(), {}, [&](const dataset::Packing& packing) {
    sequences = packing.sequences;
    EXPECT_FALSE(std::filesystem::exists(pack.output_dir)) << "reported before it writes";
  });
  EXPECT_EQ(sequences, made.instances);
  EXPECT_EQ(packed.files, 1);
  EXPECT_TRUE(std::filesystem::exists(packed.metadata));
  EXPECT_THROW(run_pack(pack, comm::alone(), {}), Error) << "overwrite is not set";

  for (const std::string& folder : {pack.input_dir, pack.output_dir}) {
    const VerifyResult verified =
        run_verify({.input_dir = folder, .vocab_file = path("vocab.txt")}, comm::alone(), {});
    EXPECT_TRUE(verified.sound);
    EXPECT_TRUE(verified.faults.empty());
    EXPECT_EQ(verified.sequences, made.instances);
  }
}

TEST_F(Stages, VerifyReturnsTheFaultOfADamagedShard) {
  test::write_all(path("text/x_training_0.txt"), text(6, 9));
  run_instances(instances(), comm::alone(), {});
  const std::string shard = io::list_files(path("shards"), "", ".hdf5").at(0);
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) / 2);
  const VerifyResult verified = run_verify({.input_dir = path("shards")}, comm::alone(), {});
  EXPECT_FALSE(verified.sound);
  EXPECT_EQ(verified.files, 1);
  EXPECT_EQ(verified.sound_files, 0);
  ASSERT_EQ(verified.faults.size(), 1U);
  EXPECT_NE(verified.faults[0].find(shard), std::string::npos) << verified.faults[0];
}

/// What the callbacks of a pipeline got.
struct Shown {
  std::vector<std::string> lines;
  std::vector<std::string> labels;
  std::vector<std::string> downloads;

  PipelineCallbacks callbacks() {
    return {
        .print = [this](const std::string& line) { lines.push_back(line); },
        .open_progress =
            [this](const std::string& label, const std::string&) {
              labels.push_back(label);
              return ReportProgress();
            },
        .download = [this](const DownloadOptions& options) { downloads.push_back(options.name); }};
  }
};

class Pipeline : public Stages {
 protected:
  PipelineSettings settings() const {
    PipelineSettings settings;
    settings.root = path("w");
    settings.dataset = kWiki;
    settings.action = "sharding";
    settings.stream = true;
    settings.shards = {2, 1};
    return settings;
  }
  void put_dump() const {
    std::string xml = "<mediawiki>";
    for (int i = 1; i <= 12; ++i) {
      xml += "<page><title>T</title><ns>0</ns><id>" + std::to_string(i) +
             "</id><revision><text>One sentence. And another one.</text></revision></page>";
    }
    test::write_all(path("w/download/wikicorpus_en/wikicorpus_en.xml"), xml + "</mediawiki>");
  }
};

TEST_F(Pipeline, FinishedStepIsSkippedTheNextTime) {
  put_dump();
  Shown first;
  run_pipeline(settings(), comm::alone(), first.callbacks());
  ASSERT_EQ(first.lines.size(), 1U);
  EXPECT_NE(first.lines[0].find("12 articles, 24 sentences in 2 training and 1 test shard"),
            std::string::npos)
      << first.lines[0];
  EXPECT_EQ(first.labels, (std::vector<std::string>{"shard"}));
  Shown second;
  run_pipeline(settings(), comm::alone(), second.callbacks());
  EXPECT_TRUE(second.lines.empty());
  EXPECT_TRUE(second.labels.empty());
}

TEST_F(Pipeline, DownloadActionAsksForTheSourceOfTheDataset) {
  PipelineSettings download = settings();
  download.action = "download";
  for (const char* dataset : {kWiki, kWeights, kSquad}) {
    Shown shown;
    download.dataset = dataset;
    run_pipeline(download, comm::alone(), shown.callbacks());
    ASSERT_EQ(shown.downloads.size(), 1U) << dataset;
    ASSERT_EQ(shown.lines.size(), 1U) << dataset;
  }
  download.dataset = kBooks;
  EXPECT_THROW(run_pipeline(download, comm::alone(), Shown().callbacks()), Error);
}

TEST_F(Pipeline, WrongSettingsAreErrorsBeforeAnyStepRuns) {
  put_dump();
  const auto refused = [&](auto change) {
    PipelineSettings wrong = settings();
    change(wrong);
    Shown shown;
    EXPECT_THROW(run_pipeline(wrong, comm::alone(), shown.callbacks()), Error);
    EXPECT_TRUE(shown.labels.empty());
  };
  refused([](PipelineSettings& s) { s.dataset = "dewiki"; });
  refused([](PipelineSettings& s) { s.action = "packing"; });
  refused([](PipelineSettings& s) { s.lists = "some"; });
  refused([](PipelineSettings& s) { s.token_rules = "rule"; });
  refused([](PipelineSettings& s) { s.shards.training = 0; });
  refused([](PipelineSettings& s) { s.sequences_per_pack = 9; });
}

}  // namespace
}  // namespace bertha::prepare
