// Runs bertha prepare, download and inspect as a user runs them, on generated dumps. The files do
// not depend on the number of threads or on kills, and each error is one clear line.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "cli/program.h"
#include "core/error.h"
#include "io/archive/digest.h"
#include "io/http_server.h"
#include "io/raw_hdf5.h"
#include "support/samples.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

const std::string kPhase1 =
    "hdf5_lower_case_1_seq_len_128_max_pred_20_masked_lm_prob_0.15_random_seed_12345_dupe_factor_2";
const std::string kPhase2 =
    "hdf5_lower_case_1_seq_len_512_max_pred_80_masked_lm_prob_0.15_random_seed_12345_dupe_factor_2";
const std::string kShards = "sharded_training_shards_3_test_shards_2_fraction_0.1";

constexpr int kWords = 60;

std::string word(uint32_t number) {
  std::string text;
  for (int i = 0; i < 3; ++i, number /= 20) text += static_cast<char>('b' + number % 20);
  return text;
}

std::string vocabulary() {
  std::string text = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n";
  for (uint32_t i = 0; i < kWords; ++i) text += word(i * 131) + "\n";
  return text;
}

/// Pages of sentences of the vocabulary's words.
std::string page(int number) {
  uint32_t state = static_cast<uint32_t>(number) + 1;
  const auto draw = [&state](uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 12) % below;
  };
  std::string text;
  for (uint32_t sentence = 0; sentence < 5 + draw(30); ++sentence) {
    std::string line;
    for (uint32_t i = 0; i < 4 + draw(12); ++i) line += word(draw(kWords) * 131) + " ";
    line[0] = static_cast<char>(line[0] - 'a' + 'A');
    line.back() = '.';
    text += line + (sentence % 4 == 3 ? "\n\n" : " ");
  }
  const std::string id = std::to_string(number);
  return "<page><title>T" + id + "</title><ns>0</ns><id>" + id + "</id><revision><id>5</id><text>" +
         text + "</text></revision></page>\n";
}

std::string dump(int pages) {
  std::string xml = "<mediawiki>";
  for (int i = 0; i < pages; ++i) xml += page(i);
  return xml + "</mediawiki>";
}

class PrepareProgram : public testing::Test {
 protected:
  PrepareProgram() { test::write_all(path("vocab.txt"), vocabulary()); }

  std::string path(const std::string& name) const { return folder_.file(name); }
  void put_dump(const std::string& work, const std::string& xml) const {
    test::write_all(path(work + "/download/wikicorpus_en/wikicorpus_en.xml"), xml);
  }

  pid_t start(const std::vector<std::string>& words, const test::Limits& limits = {}) const {
    return test::start_program(words, path("stdout"), path("stderr"), limits);
  }
  test::Outcome wait_for(pid_t child) const {
    return test::wait_for_program(child, path("stdout"), path("stderr"));
  }
  test::Outcome run(const std::vector<std::string>& words, const test::Limits& limits = {}) const {
    return wait_for(start(words, limits));
  }

  /// The command line of all stages, in the working folder `work`.
  std::vector<std::string> all(const std::string& work,
                               const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"prepare",
                                      "--working_dir=" + path(work),
                                      "--vocab_file=" + path("vocab.txt"),
                                      "--n_training_shards=3",
                                      "--n_test_shards=2",
                                      "--dupe_factor=2",
                                      "--threads=2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  void expect_done(const test::Outcome& outcome) const {
    EXPECT_EQ(outcome.status, 0) << outcome.said << outcome.printed;
  }
  /// The program prints one error line with all of `parts` and leaves no temporary file.
  void expect_error(const std::vector<std::string>& words, const std::vector<std::string>& parts,
                    const test::Limits& limits = {}) const {
    test::expect_one_error(run(words, limits), parts);
    expect_nothing_half_written();
  }
  void expect_nothing_half_written() const {
    for (const auto& entry : fs::recursive_directory_iterator(path("."))) {
      EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
    }
  }

  /// Checksums of the files under folders of `work` whose names hold `part`. Manifests and the
  /// record of what made the files are left out.
  std::map<std::string, std::string> sums(const std::string& work,
                                          const std::string& part = "") const {
    std::map<std::string, std::string> sums;
    for (const auto& entry : fs::recursive_directory_iterator(path(work))) {
      const std::string name = fs::relative(entry.path(), path(work)).string();
      if (!entry.is_regular_file() || name.starts_with("manifests/")) continue;
      if (name.ends_with(".bertha_prepare.jsonl")) continue;
      if (name.find(part) == std::string::npos) continue;
      sums[name] = io::file_digest(entry.path().string(), "sha256");
    }
    return sums;
  }

  /// The stage may be given again, as after a kill; with `change` it is refused for `reason`,
  /// unless
  /// --overwrite allows it. `out` is the folder of its outputs.
  void expect_replaced_by_the_same_command(const std::vector<std::string>& words,
                                           const std::string& change, const std::string& out,
                                           const std::string& reason) const {
    expect_done(run(words));
    const auto first = sums(out);
    for (const auto& entry : fs::recursive_directory_iterator(path(out))) {
      const bool output =
          entry.is_regular_file() && !entry.path().filename().string().starts_with(".");
      if (!output) continue;
      test::write_all(entry.path(), "cut off");
      break;
    }
    expect_done(run(words));
    EXPECT_EQ(sums(out), first);
    std::vector<std::string> other = words;
    other.push_back(change);
    expect_error(other, {path(out), reason, "--overwrite"});
    EXPECT_EQ(sums(out), first);
    other.emplace_back("--overwrite");
    expect_done(run(other));
    other.pop_back();
    expect_done(run(other));
    expect_error(words, {path(out)});
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(PrepareProgram, AllStagesMakeBothPhasesAndASecondRunSkipsThem) {
  put_dump("w", dump(60));
  expect_done(run(all("w")));
  const auto made = sums("w", "");
  for (const std::string& phase : {kPhase1, kPhase2}) {
    for (const std::string name : {"training_0", "training_2", "test_0", "test_1"}) {
      EXPECT_TRUE(made.contains(phase + "/wikicorpus_en/wikicorpus_en_" + name + ".hdf5")) << name;
    }
    EXPECT_TRUE(made.contains(phase + "_packed/wikicorpus_en/mixed_strategies_part_0.hdf5"));
    EXPECT_TRUE(made.contains(phase + "_packed/wikicorpus_en_metadata.json"));
  }
  EXPECT_EQ(sums("w", kShards).size(), 5U);

  const test::Outcome again = run(all("w"));
  expect_done(again);
  EXPECT_EQ(again.said.find(": runs"), std::string::npos)
      << "all stages are done before: " << again.said;
  EXPECT_NE(again.said.find("done before, skipped"), std::string::npos);
  fs::rename(path("w"), path("moved"));
  const test::Outcome moved = run(all("moved"));
  EXPECT_EQ(moved.said.find(": runs"), std::string::npos)
      << "the folder may be moved: " << moved.said;
}

TEST_F(PrepareProgram, ThreadsAndStreamDoNotChangeTheBytes) {
  std::map<std::string, std::string> first;
  for (const std::string threads : {"1", "2", "8"}) {
    for (const bool stream : {false, true}) {
      const std::string work = "w" + threads + (stream ? "s" : "");
      put_dump(work, dump(60));
      std::vector<std::string> more = {"--threads=" + threads};
      if (stream) more.emplace_back("--stream");
      expect_done(run(all(work, more)));
      EXPECT_NE(fs::exists(path(work + "/extracted")), stream);
      EXPECT_NE(fs::exists(path(work + "/formatted_one_article_per_line")), stream);
      std::map<std::string, std::string> made = sums(work, "hdf5_");
      made.merge(sums(work, "sharded_"));
      EXPECT_GT(made.size(), 15U);
      if (first.empty()) first = made;
      EXPECT_EQ(made, first) << work;
    }
  }
}

TEST_F(PrepareProgram, StreamedBooksAndArticlesGiveTheSameShards) {
  std::map<std::string, std::string> first;
  for (const std::string work : {"a", "b"}) {
    put_dump(work, dump(20));
    for (const std::string book : {"one", "two"}) {
      test::write_all(path(work + "/download/bookscorpus/" + book + ".txt"),
                      "\xef\xbb\xbf" + book + " is a book.\r\n\r\nBoo soo. It ends.\n");
    }
    std::vector<std::string> more = {"wiki_books"};
    if (work == "b") more.emplace_back("--stream");
    expect_done(run(all(work, more)));
    const auto made = sums(work, kShards);
    EXPECT_EQ(made.size(), 5U);
    if (first.empty()) first = made;
    EXPECT_EQ(made, first);
  }
}

TEST_F(PrepareProgram, KilledRunsEndWithTheSameBytes) {
  put_dump("whole", dump(60));
  const auto begin = std::chrono::steady_clock::now();
  expect_done(run(all("whole")));
  const auto took = std::chrono::steady_clock::now() - begin;
  for (const bool stream : {false, true}) {
    const std::string work = stream ? "stream" : "files";
    put_dump(work, dump(60));
    std::vector<std::string> more;
    if (stream) more.emplace_back("--stream");
    for (const int part : {1, 2, 4, 6, 9}) {
      const pid_t child = start(all(work, more));
      std::this_thread::sleep_for(took * part / 10);
      ::kill(child, SIGKILL);
      wait_for(child);
    }
    expect_done(run(all(work, more)));
    EXPECT_EQ(sums(work, "hdf5_"), sums("whole", "hdf5_"));
    EXPECT_EQ(sums(work, "sharded_"), sums("whole", "sharded_"));
    expect_nothing_half_written();
  }
}

TEST_F(PrepareProgram, ActionsOfBertPrepMakeTheSameFiles) {
  put_dump("all", dump(40));
  expect_done(run(all("all")));
  put_dump("w", dump(40));
  for (const std::string action : {"text_formatting", "sharding", "create_hdf5_files", "pack"}) {
    expect_done(run(all("w", {"--action", action, "--dataset=wikicorpus_en", "--max_seq_length=512",
                              "--max_predictions_per_seq=80"})));
  }
  EXPECT_EQ(sums("w", kPhase2), sums("all", kPhase2));
  EXPECT_TRUE(sums("w", kPhase1).empty());
  const test::Outcome verified = run(all("w", {"--action=verify"}));
  expect_done(verified);
  EXPECT_NE(verified.printed.find("5 of 5 files are sound"), std::string::npos) << verified.printed;
  expect_error(all("w", {"--action=packing"}), {"packing", "create_hdf5_files, pack or verify"});
  expect_error(all("w", {"--action=download", "--dataset=bookscorpus"}), {"gone", "bookscorpus"});
  expect_error(all("none", {"--action=verify"}), {"no finished HDF5 shards"});
}

TEST_F(PrepareProgram, DryRunNamesTheStagesAndWritesNothing) {
  put_dump("w", dump(10));
  const test::Outcome outcome = run(all("w", {"--dry_run"}));
  expect_done(outcome);
  for (const std::string stage : {"extract", "format", "shard", "instances", "pack", "verify"}) {
    EXPECT_NE(outcome.said.find(stage), std::string::npos) << stage;
  }
  EXPECT_EQ(sums("w").size(), 1U) << "the dump alone";
}

TEST_F(PrepareProgram, MissingDumpIsDownloaded) {
  const std::string packed = test::bzip2(dump(30));
  const std::string list = io::bytes_digest(std::as_bytes(std::span(packed)), "sha1") +
                           "  enwiki-20240101-pages-articles.xml.bz2\n";
  test::Server server({[&](const std::string& request) {
    const bool is_list = request.find("sha1sums") != std::string::npos;
    const std::string& body = is_list ? list : packed;
    return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }});
  const std::string mirror = "--mirror=" + server.url("");
  expect_done(run({"download", "wikipedia", mirror, "--output_dir=" + path("d")}));
  EXPECT_EQ(test::read_all(path("d/wikicorpus_en/wikicorpus_en.xml.bz2")), packed);

  expect_done(run(all("w", {mirror})));
  put_dump("given", dump(30));
  expect_done(run(all("given")));
  EXPECT_EQ(sums("w", "hdf5_"), sums("given", "hdf5_"));

  expect_done(run(all("x", {"--action=download", "--dataset=wikicorpus_en", mirror})));
  EXPECT_TRUE(fs::exists(path("x/download/wikicorpus_en/wikicorpus_en.xml.bz2")));
  expect_error({"download", "squad", mirror, "--output_dir=" + path("s")}, {"train-v1.1.json"});
}

TEST_F(PrepareProgram, ExtractAcceptsTheOptionsOfWikiExtractor) {
  test::write_all(path("d.xml"), dump(25));
  const std::vector<std::string> words = {"prepare", "extract", path("d.xml"), "--processes=2"};
  auto blocks = words;
  blocks.insert(blocks.end(), {"-o", path("blocks"), "-b", "2K", "-q", "--no-templates"});
  expect_done(run(blocks));
  EXPECT_TRUE(test::read_all(path("blocks/AA/wiki_00")).starts_with("<doc id=\"0\" url="));
  EXPECT_TRUE(fs::exists(path("blocks/AA/wiki_01")));
  auto json = words;
  json.insert(json.end(), {"--output", path("json"), "--json"});
  expect_done(run(json));
  EXPECT_TRUE(test::read_all(path("json/AA/wiki_00")).starts_with("{\"id\":\"0\",\"revid\""));
  auto to_stdout = words;
  to_stdout.insert(to_stdout.end(), {"-o", "-"});
  EXPECT_TRUE(run(to_stdout).printed.starts_with("<doc id=\"0\" url="));
  EXPECT_FALSE(fs::exists("-"));
}

TEST_F(PrepareProgram, MultistreamIndexGivesTheSameArticles) {
  std::string packed = test::bzip2("<mediawiki>");
  std::string index;
  for (int i = 0; i < 30; i += 5) {
    std::string pages;
    for (int j = i; j < i + 5; ++j) {
      pages += page(j);
      index += std::to_string(packed.size()) + ":" + std::to_string(j) + ":T\n";
    }
    packed += test::bzip2(pages);
  }
  packed += test::bzip2("</mediawiki>");
  test::write_all(path("d.xml.bz2"), packed);
  test::write_all(path("plain.xml"), dump(30));
  const auto extract = [&](const std::string& name, const std::string& output) {
    return run({"prepare", "extract", path(name), "--output_dir", path(output), "--threads=3"});
  };
  expect_done(extract("plain.xml", "plain"));
  expect_done(extract("d.xml.bz2", "blocks"));
  test::write_all(path("d-index.txt.bz2"), test::bzip2(index));
  const test::Outcome by_index = extract("d.xml.bz2", "index");
  expect_done(by_index);
  EXPECT_NE(by_index.said.find("6 streams"), std::string::npos) << by_index.said;
  test::write_all(path("d-index.txt.bz2"), test::bzip2("17:1:T\n"));
  const test::Outcome wrong = extract("d.xml.bz2", "wrong");
  expect_done(wrong);
  EXPECT_NE(wrong.said.find("does not fit"), std::string::npos) << wrong.said;
  for (const std::string name : {"blocks", "index", "wrong"}) {
    EXPECT_EQ(sums(name), sums("plain")) << name;
  }
}

TEST_F(PrepareProgram, DumpWithoutProseIsAnError) {
  put_dump("a", "<mediawiki></mediawiki>");
  expect_error(all("a"), {"wikicorpus_en.xml: no page"});
  expect_error(all("a", {"--stream"}), {"wikicorpus_en.xml: no page"});
  put_dump("b",
           "<mediawiki><page><title>A</title><id>1</id><revision><text>{{x}}</text></revision>"
           "</page></mediawiki>");
  expect_error(all("b"), {"1 pages, none of them an article with prose"});
  expect_error(all("b", {"--stream"}), {"no article with a sentence"});
  put_dump("c", "no XML at all");
  expect_error(all("c"), {"wikicorpus_en.xml"});
  expect_error(all("c", {"--stream"}), {"wikicorpus_en.xml"});
  put_dump("d", dump(10).substr(0, 3000));
  expect_error(all("d"), {"cut off", "--allow-truncated"});
  expect_error(all("d", {"--stream"}), {"cut off", "--allow-truncated"});
  expect_done(run(all("d", {"--allow_truncated", "--stream"})));
  expect_error(all("e", {"wiki_books"}), {"no books"});
}

TEST_F(PrepareProgram, EachStageNamesItsEmptyInput) {
  test::write_all(path("none.xml"), "<mediawiki></mediawiki>");
  test::write_all(path("blank.txt"), "\n \n\n");
  test::write_all(path("blanks/a_training_0.txt"), "\n");
  test::write_all(path("empty_article/AA/wiki_00"),
                  "<doc id=\"1\" url=\"u\" title=\"T\">\nT\n\n\n</doc>\n");
  fs::create_directory(path("nothing"));
  const std::string vocab = "--vocab_file=" + path("vocab.txt");
  const auto expect = [&](const std::string& stage, const std::string& option,
                          const std::string& input, const std::string& part) {
    std::vector<std::string> words = {"prepare", stage};
    words.push_back(option.empty() ? path(input) : option + "=" + path(input));
    if (stage != "verify") {
      words.push_back(
          (stage == "format" || stage == "instances" ? "--output_file=" : "--output_dir=") +
          path("out_" + stage));
    }
    if (stage == "instances") words.push_back(vocab);
    expect_error(words, {input, part});
  };
  expect("extract", "", "none.xml", "no page");
  expect("format", "--input_dir", "nothing", "no wiki_* file");
  expect("format", "--input_dir", "empty_article", "no article with text");
  expect("shard", "--input_files", "blank.txt", "no sentence");
  expect("instances", "--input_file", "blank.txt", "no document");
  expect("instances", "--input_file", "blanks", "no document");
  expect("instances", "--input_file", "nothing", "no .txt file");
  expect("pack", "--input_dir", "nothing", "no shard in this folder");
  expect("verify", "--input_dir", "nothing", "no .hdf5 file");
}

TEST_F(PrepareProgram, WrongVocabularyIsNamed) {
  put_dump("w", dump(10));
  expect_error(all("w", {"--vocab_file=" + path("none.txt")}), {"none.txt"});
  test::write_all(path("v.txt"), "a\nb\n");
  expect_error(all("w", {"--vocab_file=" + path("v.txt")}), {"v.txt", "[PAD]"});
  EXPECT_FALSE(fs::exists(path("w/extracted"))) << "the error comes before any stage runs";
  expect_error(all("no_dump", {"--vocab_file=" + path("v.txt"), "--mirror=http://127.0.0.1:9"}),
               {"v.txt", "[PAD]"});
  test::write_all(path("v.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nxyzzy\n");
  expect_error(all("w", {"--vocab_file=" + path("v.txt")}),
               {"100 % of the tokens are [UNK]", "v.txt"});
}

TEST_F(PrepareProgram, FullDiskIsNamedAndTheNextRunGoesOn) {
  put_dump("w", dump(40));
  for (const int64_t bytes : {2'000, 3'000}) {
    expect_error(all("w"), {path("w")}, {.file_bytes = bytes});
    expect_error(all("w", {"--stream"}), {path("w")}, {.file_bytes = bytes});
  }
  expect_done(run(all("w")));
}

TEST_F(PrepareProgram, EachStageNamesAFullDisk) {
  put_dump("w", dump(40));
  expect_done(run(all("w")));
  const auto made = [&](const std::string& name) { return path("w/" + name); };
  const std::string text =
      made("formatted_one_article_per_line/wikicorpus_en_one_article_per_line.txt");
  const std::vector<std::vector<std::string>> stages = {
      {"extract", made("download/wikicorpus_en/wikicorpus_en.xml"), "--output_dir=" + path("x")},
      {"format", "--input_dir=" + made("extracted/wikicorpus_en"),
       "--output_file=" + path("x.txt")},
      {"shard", "--input_files=" + text, "--output_dir=" + path("x")},
      {"instances", "--input_file=" + made(kShards + "/wikicorpus_en"),
       "--output_file=" + path("x"), "--vocab_file=" + path("vocab.txt")},
      {"pack", "--input_dir=" + made(kPhase1 + "/wikicorpus_en"), "--output_dir=" + path("x")}};
  for (std::vector<std::string> words : stages) {
    words.insert(words.begin(), "prepare");
    expect_error(words, {path("x"), "File too large"}, {.file_bytes = 400});
  }
}

TEST_F(PrepareProgram, VerifyAndInspectAcceptSoundShardsAndNameADamagedOne) {
  put_dump("w", dump(30));
  expect_done(run(all("w", {"--threads=1"})));
  const std::string folder = path("w/" + kPhase1 + "/wikicorpus_en");
  const std::string packed = path("w/" + kPhase1 + "_packed/wikicorpus_en");
  const std::string vocab = "--vocab_file=" + path("vocab.txt");
  for (const std::string& each : {folder, packed}) {
    expect_done(run({"prepare", "verify", "--input_dir=" + each, vocab}));
    const test::Outcome shown = run({"inspect", each, vocab});
    expect_done(shown);
    EXPECT_NE(shown.printed.find("rows"), std::string::npos) << shown.printed;
    EXPECT_NE(shown.printed.find("[CLS]"), std::string::npos) << "decoded samples";
  }
  expect_error({"inspect", path("w/" + kPhase1)}, {"no .hdf5 file here", folder});
  expect_error({"prepare", "nonsense"}, {"no stage and no corpus \"nonsense\""});
  test::write_all(path("v.txt"), "a\nb\n");
  const std::string wrong = "--vocab_file=" + path("v.txt");
  expect_error({"prepare", "verify", "--input_dir=" + folder, wrong}, {"v.txt", "no [PAD]"});
  expect_error({"inspect", folder, wrong}, {"v.txt", "no [PAD]"});
  const std::string damaged = folder + "/wikicorpus_en_training_1.hdf5";
  fs::resize_file(damaged, fs::file_size(damaged) / 2);
  const test::Outcome outcome = run({"prepare", "verify", "--input_dir=" + folder, vocab});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.errors(), 1);
  EXPECT_NE(outcome.said.find("wikicorpus_en_training_1.hdf5"), std::string::npos);
  EXPECT_NE(outcome.printed.find("4 of 5 files are sound"), std::string::npos) << outcome.printed;
}

TEST_F(PrepareProgram, VerifyActionReadsShardsThatWereVerifiedBefore) {
  put_dump("w", dump(30));
  expect_done(run(all("w")));
  const std::string shard = path("w/" + kPhase1 + "/wikicorpus_en/wikicorpus_en_training_1.hdf5");
  const std::string bytes = test::read_all(shard);
  const auto verify = [&] { return run(all("w", {"--action=verify"})); };
  expect_done(verify());
  EXPECT_NE(verify().said.find("runs (asked for)"), std::string::npos);
  std::string damaged = bytes;
  for (size_t i = bytes.size() / 4; i < 3 * bytes.size() / 4; ++i) damaged[i] ^= 0x55;
  test::write_all(shard, damaged);
  const test::Outcome outcome = verify();
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.said.find("training_1.hdf5"), std::string::npos) << outcome.said;
  EXPECT_NE(outcome.said.find("not sound"), std::string::npos) << outcome.said;
  const std::vector<std::string> changed = {"training_1.hdf5 has changed", "run the stage"};
  expect_error(all("w", {"--action=pack"}), changed);
  fs::remove(shard);
  for (const char* action : {"--action=verify", "--action=pack"}) {
    expect_error(all("w", {action}), {"training_1.hdf5 is missing", "run the stage"});
  }
  expect_done(run(all("w")));
  EXPECT_TRUE(test::read_all(shard) == bytes) << "made again";
}

TEST_F(PrepareProgram, CopyOfTheVocabularyCountsAsTheSameInput) {
  put_dump("w", dump(30));
  expect_done(run(all("w")));
  test::write_all(path("elsewhere/v\xe9.txt"), vocabulary());
  const test::Outcome again = run(all("w", {"--vocab_file=" + path("elsewhere/v\xe9.txt")}));
  expect_done(again);
  EXPECT_EQ(again.said.find("runs ("), std::string::npos) << again.said;
}

TEST_F(PrepareProgram, DryRunNamesWrongOptionsAndStagesThatMayBeKept) {
  for (const char* option : {"--token_rules=foo", "--masked_lm_prob=7", "--dupe_factor=0",
                             "--max_sequences_per_pack=9", "--threads=99999999", "--lists=some"}) {
    const std::string word = option;
    expect_error(all("none", {"--dry_run", word}), {word.substr(word.find('=') + 1)});
  }
  put_dump("w", dump(30));
  expect_done(run(all("w")));
  fs::remove_all(path("w/extracted"));
  const test::Outcome plan = run(all("w", {"--dry_run"}));
  expect_done(plan);
  EXPECT_NE(plan.said.find("] extract: would run"), std::string::npos);
  EXPECT_NE(plan.said.find("would be skipped if the stages before make the same"),
            std::string::npos);
}

TEST_F(PrepareProgram, ShardsOfALargerRunAreRemoved) {
  put_dump("w", dump(30));
  expect_done(run(all("w")));
  const std::string text =
      path("w/formatted_one_article_per_line/wikicorpus_en_one_article_per_line.txt");
  const auto shard = [&](const char* training, const char* test) {
    expect_done(run({"prepare", "shard", "--input_files=" + text, "--output_dir=" + path("s"),
                     "--n_training_shards", training, "--n_test_shards", test, "--overwrite"}));
  };
  shard("4", "2");
  test::write_all(path("s/wikicorpus_en_training_x.txt"), "not ours");
  shard("2", "1");
  fs::remove(path("s/.bertha_prepare.jsonl"));
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(path("s"))) {
    names.insert(entry.path().filename().string());
  }
  EXPECT_EQ(names, (std::set<std::string>{
                       "wikicorpus_en_training_0.txt", "wikicorpus_en_test_0.txt",
                       "wikicorpus_en_training_1.txt", "wikicorpus_en_training_x.txt"}));
}

TEST_F(PrepareProgram, ExtractReplacesItsOwnArticlesAlone) {
  test::write_all(path("d.xml"), dump(25));
  const std::vector<std::string> words = {"prepare", "extract", path("d.xml"), "-o", path("x")};
  expect_replaced_by_the_same_command(words, "--json", "x", "form is json here, doc there");
}

TEST_F(PrepareProgram, ShardReplacesItsOwnShardsAlone) {
  std::string text;
  for (int i = 0; i < 12; ++i) text += "One is here. Two are there. Three came late.\n\n";
  test::write_all(path("t.txt"), text);
  const std::vector<std::string> words = {
      "prepare",      "shard",   "--input_files",         path("t.txt"),
      "--output_dir", path("x"), "--n_training_shards=2", "--n_test_shards=1"};
  expect_replaced_by_the_same_command(words, "--fraction_test_set=0.2", "x",
                                      "fraction_test_set is 0.2 here, 0.1 there");
}

TEST_F(PrepareProgram, InstancesReplaceTheirOwnShardsAlone) {
  put_dump("w", dump(20));
  expect_done(run(all("w", {"--action=text_formatting"})));
  expect_done(run(all("w", {"--action=sharding"})));
  const std::vector<std::string> words = {"prepare", "instances", "--output_file=" + path("x"),
                                          "--input_file=" + path("w/" + kShards + "/wikicorpus_en"),
                                          "--vocab_file=" + path("vocab.txt")};
  expect_replaced_by_the_same_command(words, "--max_seq_length=64", "x",
                                      "max_seq_length is 64 here, 128 there");
}

TEST_F(PrepareProgram, FilesWithoutARecordAreNotReplaced) {
  test::write_all(path("t.txt"), "A sentence.\nAnother.\n\nAnd more.\nThe end.\n");
  test::write_all(path("mine.hdf5"), "mine");
  std::vector<std::string> words = {"prepare", "instances", "--input_file=" + path("t.txt"),
                                    "--output_file=" + path("mine.hdf5"),
                                    "--vocab_file=" + path("v.txt")};
  test::write_all(path("v.txt"),
                  "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nanother\nand\nthe\nend\n.\n"
                  "sentence\nmore\n");
  expect_error(words, {"mine.hdf5 is there", "no record of this program", "--overwrite"});
  EXPECT_EQ(test::read_all(path("mine.hdf5")), "mine");
  words.emplace_back("--overwrite");
  expect_done(run(words));
  EXPECT_NE(test::read_all(path("mine.hdf5")), "mine");
}

TEST_F(PrepareProgram, InstancesWarnOfPrintedLines) {
  test::write_all(path("v.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n.\n");
  const auto said = [&](const std::string& name, const std::string& text) {
    test::write_all(path(name + ".txt"), text);
    const test::Outcome outcome =
        run({"prepare", "instances", "--input_file=" + path(name + ".txt"),
             "--output_file=" + path(name + ".hdf5"), "--vocab_file=" + path("v.txt")});
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    return outcome.said;
  };
  const std::string warning = "67 % of the lines end within a sentence";
  EXPECT_NE(said("wrapped", "a b a\nb a b\na b.\n\na b a\nb a b\na b.\n").find(warning),
            std::string::npos);
  EXPECT_EQ(said("sentences", "a b.\nb a.\n\nb.\na b a.\n").find("within a sentence"),
            std::string::npos);
}

TEST_F(PrepareProgram, FullStandardOutputIsAnError) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"}, {"prepare", "--help"}}) {
    const test::Outcome outcome =
        test::wait_for_program(test::start_program(words, "/dev/full", path("stderr"), {}),
                               path("vocab.txt"), path("stderr"));
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.said.find("standard output: cannot write"), std::string::npos)
        << outcome.said;
  }
}

TEST_F(PrepareProgram, ClosedStandardOutputIsAnError) {
  const std::string command =
      fmt::format("'{}' --help >&- 2> '{}'", BERTHA_PROGRAM, path("stderr"));
  const int status = std::system(command.c_str());  // NOLINT(cert-env33-c): a shell closes streams
  EXPECT_EQ(WEXITSTATUS(status), 1);
  const std::string said = test::read_all(path("stderr"));
  EXPECT_NE(said.find("standard output: cannot write"), std::string::npos) << said;
}

TEST_F(PrepareProgram, InspectNamesFilesThatAreNoShards) {
  const std::string foreign = path("foreign/a.hdf5");
  fs::create_directory(path("foreign"));
  test::RawFile(foreign).add("embedding", {{2, 3}, {1, 2, 3, 4, 5, 6}});
  const std::vector<std::string> parts = {foreign, "not a pre-training shard",
                                          "missing all of the datasets input_ids, input_mask"};
  test::write_all(path("text.hdf5"), "this is no HDF5");
  for (const std::string& option :
       std::vector<std::string>{"--samples=1", "--json", "--svg=" + path("a.svg")}) {
    expect_error({"inspect", foreign, option}, parts);
    EXPECT_EQ(test::read_all(path("stdout")), "");
    expect_error({"inspect", path("text.hdf5"), option}, {"text.hdf5: not a whole HDF5 file"});
  }
  test::RawFile(path("foreign/b.hdf5")).add("input_ids", {{2, 3}, {1, 2, 3, 4, 5, 6}});
  expect_error({"inspect", path("foreign")}, {"a.hdf5", "1 more faulty"});
  expect_error({"inspect", path("foreign/b.hdf5")}, {"b.hdf5", "missing input_mask, segment_ids"});
  fs::rename(foreign, path("foreign/a.h5"));
  expect_error({"inspect", path("foreign/a.h5")}, {"a.h5", "not a pre-training shard"});
}

}  // namespace
}  // namespace bertha::cli
