// bertha pretrain as a user runs it: the program itself, its exit status, what it prints and what
// it leaves. Bad input is one line and loses nothing.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/program.h"
#include "io/weights/checkpoint_names.h"
#include "train/tiny_run.h"

namespace bertha::cli {
namespace {

class PretrainProgram : public train::TinyRun {
 protected:
  pid_t start(const std::vector<std::string>& arguments, const test::Limits& limits = {}) const {
    return test::start_program(arguments, path("stdout"), path("stderr"), limits);
  }
  test::Outcome wait_for(pid_t child) const {
    return test::wait_for_program(child, path("stdout"), path("stderr"));
  }
  test::Outcome run(const std::vector<std::string>& arguments,
                    const test::Limits& limits = {}) const {
    return wait_for(start(arguments, limits));
  }

  /// The command line of a small run; `more` comes last and wins.
  std::vector<std::string> command(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"pretrain",
                                      "--do_train",
                                      "--input_dir=" + path("data"),
                                      "--config_file=" + path("config.json"),
                                      "--output_dir=" + path("out"),
                                      "--json-summary=" + path("log/dllogger.json"),
                                      "--train_batch_size=6",
                                      "--gradient_accumulation_steps=3",
                                      "--max_predictions_per_seq=3",
                                      "--max_steps=8",
                                      "--learning_rate=0.02",
                                      "--num_steps_per_checkpoint=3",
                                      "--disable_progress_bar"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// Runs it, expects one error line that names all of `parts`, and nothing half written.
  void expect_error(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& parts, const test::Limits& limits = {}) {
    test::expect_one_error(run(arguments, limits), parts);
    expect_nothing_half_written();
  }
  void expect_nothing_half_written() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
    }
    for (const auto& [number, name] : io::list_checkpoints(path("out"))) {
      EXPECT_NO_THROW(train::read_checkpoint_state(name)) << name;
    }
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
};

TEST_F(PretrainProgram, TrainsAndExitsWithZero) {
  const test::Outcome outcome = run(command());
  EXPECT_EQ(outcome.status, 0) << outcome.said;
  EXPECT_EQ(checkpoints(), (std::vector<int64_t>{3, 6, 8}));
  EXPECT_NE(outcome.printed.find("Training Iteration: 2  average_loss : "), std::string::npos);
  EXPECT_EQ(run(command()).status, 0);  // nothing is left to do
}

TEST_F(PretrainProgram, StartAndEndAreSummedUpAndTheOutputFolderIsAModel) {
  const test::Outcome outcome = run(command());
  EXPECT_NE(outcome.said.find("model: "), std::string::npos) << outcome.said;
  EXPECT_NE(outcome.said.find("steps 1 to 8 of 6 rows each"), std::string::npos) << outcome.said;
  EXPECT_NE(outcome.said.find("trained 8 steps in "), std::string::npos) << outcome.said;
  EXPECT_NE(outcome.said.find("written: " + path("out/ckpt_8.pt")), std::string::npos);
  const test::Outcome inspected = run({"inspect", path("out")});
  EXPECT_EQ(inspected.status, 0) << inspected.said;
  EXPECT_NE(inspected.printed.find("torch"), std::string::npos) << inspected.printed;
}

TEST_F(PretrainProgram, QuietShowsNothingButErrors) {
  const test::Outcome outcome = run(command({"-q"}));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.said, "");
}

TEST_F(PretrainProgram, SecondRunAddsToTheLogOfTheFirst) {
  ASSERT_EQ(run(command({"--output_dir=" + path("one")})).status, 0);
  const std::string first = test::read_all(path("log/dllogger.json"));
  ASSERT_EQ(run(command({"--output_dir=" + path("two")})).status, 0);
  const std::string both = test::read_all(path("log/dllogger.json"));
  EXPECT_TRUE(both.starts_with(first));
  EXPECT_GT(both.size(), first.size());
}

TEST_F(PretrainProgram, TheLogIsTheRecipes) {
  ASSERT_EQ(run(command({"--log_freq=2", "--seed=7", "--bert_model=it's", "--autocast"})).status,
            0);
  std::vector<nlohmann::json> records;
  std::ifstream file(path("log/dllogger.json"));
  for (std::string line; std::getline(file, line);) {
    ASSERT_TRUE(line.starts_with("DLLL {\"timestamp\": \"")) << line;
    records.push_back(nlohmann::json::parse(line.substr(5)));
  }
  // Steps 2, 4 and 6 have a line, 3 and 6 a checkpoint, 8 is the last.
  std::vector<std::vector<std::string>> all;
  for (const auto& record : records) {
    EXPECT_EQ(record["type"], "LOG");
    std::vector<std::string> names;  // sorted
    for (const auto& entry : record["data"].items()) names.push_back(entry.key());
    all.push_back(names);
  }
  const std::vector<std::string> step = {"average_loss", "average_perf_per_step",
                                         "average_training_time_step", "learning_rate",
                                         "step_loss"};
  const std::vector<std::string> last = {"average_perf_per_step", "average_training_time_step",
                                         "final_loss"};
  const std::vector<std::string> whole = {"e2e_train_time", "final_loss", "raw_train_time",
                                          "training_sequences_per_second"};
  EXPECT_EQ(all, (std::vector<std::vector<std::string>>{{"Config"},
                                                        {"SEED"},
                                                        {"train_start"},
                                                        {"batch_size_per_pu"},
                                                        {"learning_rate"},
                                                        step,
                                                        {"checkpoint_step"},
                                                        step,
                                                        step,
                                                        {"checkpoint_step"},
                                                        last,
                                                        {"checkpoint_step"},
                                                        whole}));
  EXPECT_EQ(records[3]["data"]["batch_size_per_pu"], 2);
  EXPECT_EQ(records[5]["step"], (nlohmann::json{0, 2}));
  EXPECT_EQ(records[10]["step"][1], 8);
  EXPECT_EQ(records[11]["data"]["checkpoint_step"], 8);
  EXPECT_EQ(records[12]["step"], nlohmann::json::array());
  EXPECT_EQ(records[10]["data"]["final_loss"], records[12]["data"]["final_loss"]);
  // The rate just used: step 2 of 8, after a warm-up of 1 %.
  EXPECT_NEAR(records[5]["data"]["learning_rate"].get<double>(), 0.02 * std::sqrt(0.75), 1e-12);
  // Seconds a micro-batch of two rows, and rows a second.
  const auto& data = records[5]["data"];
  EXPECT_NEAR(data["average_perf_per_step"].get<double>() *
                  data["average_training_time_step"].get<double>(),
              2, 1e-9);
  const std::string config = records[0]["data"]["Config"][0];
  EXPECT_TRUE(config.starts_with("Namespace(")) << config;
  for (const char* field :
       {"train_batch_size=2,", "gradient_accumulation_steps=3,", "seed=7,", "learning_rate=0.02,",
        "autocast=True", "bert_model=\"it's\"", "init_checkpoint=None", "num_train_epochs=3.0",
        "local_rank=-1", "use_lazy_mode=True", "phase2=False", "loss_scale=0.0", "json_summary='",
        "fp16=False", "amp=False", "hmp=False", "steps_this_run=8"}) {
    EXPECT_NE(config.find(field), std::string::npos) << field << " in " << config;
  }
  EXPECT_EQ(config.find("device='"), config.rfind("device='"));
}

TEST_F(PretrainProgram, ASignalSavesAndTheSameCommandGoesOn) {
  train::PretrainingOptions whole = options("whole");
  for (const int number : {SIGTERM, SIGINT}) {
    const std::string out = path("out" + std::to_string(number));
    const std::vector<std::string> words =
        command({"--output_dir=" + out, "--max_steps=60", "--num_steps_per_checkpoint=1000"});
    const pid_t child = start(words);
    // The first step's line is on the disk: training is under way.
    while (test::read_all(path("log/dllogger.json")).find("step_loss") == std::string::npos) {
      ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << test::read_all(path("stderr"));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ::kill(child, number);
    const test::Outcome stopped = wait_for(child);
    if (stopped.status == 0) continue;  // it was done before the signal came
    EXPECT_EQ(stopped.status, 75) << stopped.said;
    EXPECT_EQ(io::list_checkpoints(out).size(), 1U);
    EXPECT_EQ(run(words).status, 0);
    std::filesystem::remove(path("log/dllogger.json"));
    const std::string other = path("whole" + std::to_string(number));
    ASSERT_EQ(
        run(command({"--output_dir=" + other, "--max_steps=60", "--num_steps_per_checkpoint=1000"}))
            .status,
        0);
    std::filesystem::remove(path("log/dllogger.json"));
    EXPECT_TRUE(train::state_of(out + "/ckpt_60.pt") == train::state_of(other + "/ckpt_60.pt"));
    EXPECT_EQ(test::read_all(out + "/losses.tsv"), test::read_all(other + "/losses.tsv"));
  }
}

TEST_F(PretrainProgram, TheSeedsCommandLinesRunAsTheyStand) {
  std::filesystem::create_directories(path("long"));
  train::write_tiny_shard(path("long/x_training_0.hdf5"), 20, 32, 5);
  const std::vector<std::string> common = {"pretrain",
                                           "--do_train",
                                           "--bert_model=bert-large-uncased",
                                           "--autocast",
                                           "--config_file=" + path("config.json"),
                                           "--use_habana",
                                           "--allreduce_post_accumulation",
                                           "--allreduce_post_accumulation_fp16",
                                           "--json-summary=" + path("dllog/dllogger.json"),
                                           "--output_dir=" + path("out"),
                                           "--use_fused_lamb"};
  std::vector<std::string> phase1 = common;
  phase1.insert(phase1.end(),
                {"--input_dir=" + path("data"), "--train_batch_size=8", "--max_seq_length=16",
                 "--max_predictions_per_seq=3", "--max_steps=10", "--warmup_proportion=0.2843",
                 "--num_steps_per_checkpoint=5", "--learning_rate=0.006",
                 "--gradient_accumulation_steps=4", "--enable_packed_data_mode", "False"});
  const test::Outcome first = run(phase1);
  EXPECT_EQ(first.status, 0) << first.said;
  EXPECT_EQ(checkpoints(), (std::vector<int64_t>{5, 10}));
  std::vector<std::string> phase2 = common;
  phase2.insert(phase2.end(),
                {"--input_dir=" + path("long"), "--train_batch_size=8", "--max_seq_length=32",
                 "--max_predictions_per_seq=3", "--max_steps=10", "--warmup_proportion=0.128",
                 "--num_steps_per_checkpoint=5", "--learning_rate=0.004",
                 "--gradient_accumulation_steps=8", "--enable_packed_data_mode", "False",
                 "--resume_from_checkpoint", "--phase1_end_step=10", "--phase2"});
  const test::Outcome second = run(phase2);
  EXPECT_EQ(second.status, 0) << second.said;
  EXPECT_EQ(checkpoints(), (std::vector<int64_t>{5, 10, 15, 20}));
  EXPECT_EQ(train::read_checkpoint_state(path("out/ckpt_20.pt")).step, 10);
}

TEST_F(PretrainProgram, OptionsThatDoNotFitAreErrors) {
  expect_error(command({"--no_such_option"}), {"--no-such-option"});
  expect_error(command({"--gradient_accumulation_steps=4"}),
               {"--train-batch-size 6", "--gradient-accumulation-steps 4"});
  expect_error(command({"--max_steps=zero"}), {"--max-steps", "\"zero\""});
  expect_error(command({"--steps_this_run=9"}), {"--steps-this-run 9", "--max-steps 8"});
  expect_error(command({"--warmup_proportion=2"}), {"--warmup-proportion"});
  expect_error(command({"--autocast", "--hmp"}), {"--autocast", "--hmp"});
  expect_error(command({"--use_habana", "--strict-device"}),
               {"no accelerator can be used", "SynapseAI"});
  expect_error({"pretrain", "--do_train"}, {"--input-dir is required"});
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST_F(PretrainProgram, AFaultyConfigIsAnError) {
  expect_error(command({"--config_file=" + path("none.json")}), {"none.json"});
  write("cut.json", "{\"vocab_size\": 40,");
  expect_error(command({"--config_file=" + path("cut.json")}), {"cut.json"});
  write("poor.json", "{\"vocab_size\": 40}");
  expect_error(command({"--config_file=" + path("poor.json")}), {"poor.json", "hidden_size"});
  // Ids go to 39.
  bert::Config small = train::tiny_config();
  small.vocab_size = 32;
  write("small.json", bert::recipe_config_json(small));
  expect_error(command({"--config_file=" + path("small.json")}), {".hdf5", "32"});
  bert::Config brief = train::tiny_config();
  brief.max_position_embeddings = 8;
  write("brief.json", bert::recipe_config_json(brief));
  expect_error(command({"--config_file=" + path("brief.json")}),
               {"16", "max_position_embeddings 8"});
}

TEST_F(PretrainProgram, FaultyShardsAreErrors) {
  expect_error(command({"--input_dir=" + path("nowhere")}), {"nowhere"});
  std::filesystem::create_directories(path("empty"));
  expect_error(command({"--input_dir=" + path("empty")}), {"empty", "no shard"});
  expect_error(command({"--eval_dir=" + path("data")}), {"data", "_test_"});
  std::filesystem::create_directories(path("foreign"));
  write("foreign/x_training_0.hdf5", "this is no HDF5");
  expect_error(command({"--input_dir=" + path("foreign")}), {"foreign/x_training_0.hdf5"});
  const std::string shard = path("data/x_training_1.hdf5");
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) / 2);
  expect_error(command(), {"x_training_1.hdf5"});
}

TEST_F(PretrainProgram, WeightsThatDoNotFitAreErrors) {
  ASSERT_EQ(run(command()).status, 0);
  bert::Config wide = train::tiny_config();
  wide.hidden_size = 32;
  write("wide.json", bert::recipe_config_json(wide));
  const std::string config = "--config_file=" + path("wide.json");
  expect_error(command({config}), {"config_file describes another model"});
  expect_error(command({config, "--resume_from_checkpoint"}), {"ckpt_8.pt", "[40, 16]"});
  expect_error(command({config, "--output_dir=" + path("new"),
                        "--init_checkpoint=" + path("out/ckpt_8.pt")}),
               {"ckpt_8.pt", "[40, 16]"});
  expect_error(command({"--output_dir=" + path("new"), "--init_checkpoint=" + path("none.pt")}),
               {"none.pt"});
}

TEST_F(PretrainProgram, AFolderThatCannotBeWrittenIsAnError) {
  write("file", "in the way");
  expect_error(command({"--output_dir=" + path("file/out")}), {"file/out"});
  expect_error(command({"--output_dir=/proc/out"}), {"/proc/out"});
  expect_error(command({"--json-summary=" + path("file/log.json")}), {path("file")});
}

TEST_F(PretrainProgram, AFullDiskWhileSavingLosesNothing) {
  ASSERT_EQ(run(command({"--steps_this_run=3"})).status, 0);
  const std::string before = test::read_all(path("out/ckpt_3.pt"));
  expect_error(command(), {"ckpt_6.pt"}, {.file_bytes = 40'000});
  EXPECT_EQ(checkpoints(), (std::vector<int64_t>{3}));
  EXPECT_EQ(test::read_all(path("out/ckpt_3.pt")), before);
  EXPECT_EQ(run(command()).status, 0);  // there is room again
  EXPECT_EQ(checkpoints(), (std::vector<int64_t>{3, 6, 8}));
}

}  // namespace
}  // namespace bertha::cli
