#include "faults/fault_cases.h"

#include <fmt/format.h>

#include <filesystem>
#include <span>

#include "cli/program.h"
#include "infer/tiny_models.h"
#include "io/archive/digest.h"
#include "io/http_server.h"
#include "support/files.h"
#include "support/paths.h"
#include "train/tiny_run.h"

namespace bertha::test {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

const std::string kEncoder = tests_path("cli/fixtures/tiny_encoder");
const std::string kSquad = tests_path("tasks/fixtures/squad/small.json");

/// Words of a small alphabet that fixtures of the tokenizer know.
std::string sentences(int count) {
  const std::vector<std::string> words = {"the", "red", "house", "stands", "on", "hill", "river"};
  std::string text;
  for (int line = 0; line < count; ++line) {
    for (size_t i = 0; i < 9; ++i) {
      text += words[(static_cast<size_t>(line) * 5 + i * 3) % words.size()] + " ";
    }
    text += line % 4 == 3 ? ".\n\n" : ".\n";
  }
  return text;
}

void write_texts(const std::string& folder) {
  write_all(folder + "/texts.txt", sentences(40));
}

FaultCase prepare_case() {
  return {.name = "prepare",
          .inputs =
              [](const std::string& folder) {
                std::string pages;
                for (int i = 0; i < 12; ++i) {
                  pages += "<page><title>T</title><ns>0</ns><id>" + std::to_string(i) +
                           "</id><revision><id>5</id><text>" + sentences(8 + i) +
                           "</text></revision></page>\n";
                }
                write_all(folder + "/dump.xml", "<mediawiki>" + pages + "</mediawiki>");
              },
          .words = [](const std::string& folder) -> Words {
            return {"prepare",
                    "--working_dir=" + folder + "/out",
                    "--vocab_file=" + tiny_vocabulary(),
                    "--n_training_shards=2",
                    "--n_test_shards=1",
                    "--dupe_factor=1",
                    "--threads=2",
                    "--quiet"};
          },
          .start =
              [](const std::string& folder) {
                fs::create_directories(folder + "/out/download/wikicorpus_en");
                fs::copy_file(folder + "/dump.xml",
                              folder + "/out/download/wikicorpus_en/wikicorpus_en.xml");
              }};
}

void write_pretraining_inputs(const std::string& folder) {
  fs::create_directories(folder + "/data");
  for (int64_t i = 0; i < 2; ++i) {
    train::write_tiny_shard(folder + "/data/x_training_" + std::to_string(i) + ".hdf5", 7 + 2 * i,
                            16, 100 + static_cast<uint64_t>(i));
  }
  write_all(folder + "/config.json", bert::recipe_config_json(train::tiny_config()));
}

Words pretrain_words(const std::string& folder) {
  return {"pretrain",
          "--do_train",
          "--input_dir=" + folder + "/data",
          "--config_file=" + folder + "/config.json",
          "--output_dir=" + folder + "/out",
          "--json-summary=" + folder + "/out/dllogger.json",
          "--tensorboard-logdir=" + folder + "/out/tensorboard",
          "--train_batch_size=6",
          "--gradient_accumulation_steps=3",
          "--max_predictions_per_seq=3",
          "--max_steps=4",
          "--log_freq=1",
          "--learning_rate=0.02",
          "--num_steps_per_checkpoint=2",
          "--disable_progress_bar",
          "--quiet"};
}

FaultCase pretrain_case() {
  return {.name = "pretrain", .inputs = write_pretraining_inputs, .words = pretrain_words};
}

/// The first half of the run lies there.
FaultCase resume_case() {
  return {
      .name = "resume",
      .inputs =
          [](const std::string& folder) {
            write_pretraining_inputs(folder);
            Words words = pretrain_words(folder);
            words.emplace_back("--steps_this_run=2");
            const pid_t child = start_program(words, folder + "/first.out", folder + "/first.err");
            EXPECT_EQ(wait_for_program(child, folder + "/first.out", folder + "/first.err").status,
                      0);
            fs::rename(folder + "/out", folder + "/half");
          },
      .words = pretrain_words,
      .start =
          [](const std::string& folder) {
            fs::copy(folder + "/half", folder + "/out", fs::copy_options::recursive);
          }};
}

void write_encoder(const std::string& folder) {
  write_tiny_model(folder + "/model", {}, bert::ModelClass::kEncoder);
}

FaultCase squad_case() {
  return {
      .name = "squad", .inputs = write_encoder, .words = [](const std::string& folder) -> Words {
        return {"squad",
                "--init_checkpoint=" + folder + "/model",
                "--do_train",
                "--do_predict",
                "--do_eval",
                "--train_file=" + kSquad,
                "--predict_file=" + kSquad,
                "--output_dir=" + folder + "/out",
                "--json-summary=" + folder + "/out/log.json",
                "--do_lower_case",
                "--max_seq_length=64",
                "--doc_stride=24",
                "--max_query_length=16",
                "--train_batch_size=8",
                "--num_train_epochs=1",
                "--disable-progress-bar",
                "--quiet"};
      }};
}

FaultCase classify_case() {
  return {.name = "classify",
          .inputs =
              [](const std::string& folder) {
                write_encoder(folder);
                std::string rows = "sentence\tlabel\n";
                for (int i = 0; i < 12; ++i)
                  rows += i % 2 == 0 ? "the red house\tyes\n" : "the hill\tno\n";
                write_all(folder + "/rows.tsv", rows);
              },
          .words = [](const std::string& folder) -> Words {
            return {"classify",
                    "--init_checkpoint=" + folder + "/model",
                    "--train_file=" + folder + "/rows.tsv",
                    "--eval_file=" + folder + "/rows.tsv",
                    "--predict_file=" + folder + "/rows.tsv",
                    "--output_dir=" + folder + "/out",
                    "--max_seq_length=16",
                    "--train_batch_size=4",
                    "--num_train_epochs=2",
                    "--disable-progress-bar",
                    "--quiet"};
          }};
}

/// A mirror with the dump of a Wikipedia and its checksum.
std::string mirror() {
  static const std::string kDump = sentences(2000);
  static const std::string kList = io::bytes_digest(std::as_bytes(std::span(kDump)), "sha1") +
                                   "  enwiki-latest-pages-articles.xml.bz2\n";
  static const Server kServer({[](const std::string& request) {
    const bool list = request.find("sha1sums.txt") != std::string::npos;
    const std::string& body = list ? kList : kDump;
    return fmt::format("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n",
                       body.size()) +
           body;
  }});
  return kServer.url("/");
}

FaultCase download_case() {
  return {.name = "download",
          .inputs = [](const std::string&) {},
          .words = [](const std::string& folder) -> Words {
            return {"download",
                    "wikipedia",
                    "--mirror=" + mirror(),
                    "--output-dir=" + folder + "/out",
                    "--disable-progress-bar",
                    "--quiet"};
          }};
}

FaultCase convert_case() {
  return {.name = "convert",
          .inputs = [](const std::string&) {},
          .words = [](const std::string& folder) -> Words {
            return {"convert", kEncoder, folder + "/out"};
          }};
}

FaultCase inspect_case() {
  return {.name = "inspect",
          .inputs = [](const std::string&) {},
          .words = [](const std::string&) -> Words {
            return {"inspect", kEncoder};
          }};
}

FaultCase embed_case() {
  return {.name = "embed",
          .inputs = write_texts,
          .words = [](const std::string& folder) -> Words {
            return {"embed", "--checkpoint=" + kEncoder, "--input=" + folder + "/texts.txt",
                    "--output=" + folder + "/out/vectors.npy", "--overwrite"};
          },
          .start = [](const std::string& folder) { fs::create_directory(folder + "/out"); }};
}

FaultCase tokenize_case() {
  return {
      .name = "tokenize", .inputs = write_texts, .words = [](const std::string& folder) -> Words {
        return {"tokenize", "--vocab_file=" + tiny_vocabulary(),
                "--input=" + folder + "/texts.txt"};
      }};
}

FaultCase vocab_case() {
  return {.name = "vocab",
          .inputs = write_texts,
          .words = [](const std::string& folder) -> Words {
            return {"vocab", folder + "/texts.txt", "--output-file=" + folder + "/out/vocab.txt",
                    "--vocab-size=60", "--overwrite"};
          },
          .start = [](const std::string& folder) { fs::create_directory(folder + "/out"); }};
}

}  // namespace

const std::vector<FaultCase>& fault_cases() {
  static const std::vector<FaultCase> kCases = {prepare_case(), pretrain_case(), resume_case(),
                                                squad_case(),   classify_case(), convert_case(),
                                                inspect_case(), embed_case(),    tokenize_case(),
                                                vocab_case(),   download_case()};
  return kCases;
}

std::string contents_of(const std::string& path) {
  if (!fs::path(path).filename().string().starts_with("ckpt_")) return read_all(path);
  const std::vector<float> state = train::state_of(path);
  return std::to_string(train::read_checkpoint_state(path).step) +
         std::string(reinterpret_cast<const char*>(state.data()), state.size() * sizeof(float));
}

}  // namespace bertha::test
