// Makes every call of the system fail in turn, one in a run, and every allocation. A run then ends
// well with the output of an undisturbed one, or with one error line, a status that is not 0, and
// no file that is not whole. The same command afterwards, undisturbed, ends with the output of an
// undisturbed run, bit for bit.
//
// BERTHA_FAULTS=all tries every call (hours); a number tries as many calls of each kind in each
// command. BERTHA_FAULT_NAME=memory.ENOMEM tries that fault alone.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "faults/fault_cases.h"
#include "faults/fault_run.h"
#include "support/files.h"

namespace bertha::test {
namespace {

namespace fs = std::filesystem;

using Files = std::map<std::string, std::string>;  // contents by the path below the output folder

/// Files that grow by records and may stop early, and what is drawn from them.
bool is_log(const std::string& name) {
  static const std::set<std::string> kLogs = {"dllogger.json", "log.json", "losses.tsv", "loss.svg",
                                              "report.html"};
  return kLogs.contains(fs::path(name).filename().string()) || name.starts_with("tensorboard/");
}

bool is_temporary(const std::string& name) {
  return name.find(".tmp-") != std::string::npos;
}

/// What was tried and how it ended, for the table of docs/evidence/reliability.md.
struct Tally {
  int64_t points = 0;
  int64_t unharmed = 0;
  int64_t refused = 0;
};

class EveryCall : public testing::TestWithParam<FaultCase> {
 protected:
  std::string folder() const { return folder_.path().string(); }
  std::string out() const { return folder() + "/out"; }
  /// The folder itself may get another name, until it is complete.
  Files files() const {
    Files found;
    for (const auto& entry : fs::recursive_directory_iterator(folder())) {
      const std::string name = fs::relative(entry.path(), folder()).string();
      const bool ours = name == "out" || name.starts_with("out/") || name.starts_with("out.tmp-");
      if (!ours || !entry.is_regular_file()) continue;
      const std::string below = name.starts_with("out/") ? name.substr(4) : name;
      found[below] = is_log(below) || is_temporary(below) ? "" : contents_of(entry.path().string());
    }
    return found;
  }

  FaultyEnd run(const Fault& fault, int64_t at) {
    FaultyProgram program(folder(), GetParam().words(folder()), fault, at);
    return program.wait();
  }
  void begin() const {
    fs::remove_all(out());
    for (const auto& entry : fs::directory_iterator(folder())) {
      if (is_temporary(entry.path().string())) fs::remove_all(entry.path());
    }
    if (GetParam().start) GetParam().start(folder());
  }

  /// Two undisturbed runs. Files that differ between them hold times or random names.
  void make_reference() {
    GetParam().inputs(folder());
    const Fault none{"none", 0};
    begin();
    const FaultyEnd first = run(none, 0);
    ASSERT_EQ(first.outcome.status, 0) << first.outcome.said;
    whole_ = files();
    begin();
    const FaultyEnd second = run(none, 0);
    printed_ = first.outcome.printed == second.outcome.printed ? first.outcome.printed : "";
    const Files again = files();
    for (auto& [name, contents] : whole_) {
      const auto found = again.find(name);
      if (is_log(name) || found == again.end() || found->second != contents) varying_.insert(name);
    }
    for (const std::string& name : varying_) whole_.erase(name);
  }

  /// A checkpoint before the last one. A run that ends early saves, and what follows saves at other
  /// steps than an undisturbed run.
  bool is_intermediate(const std::string& name) const {
    return name.starts_with("ckpt_") && name != "ckpt_4.pt";
  }
  /// Every file of an undisturbed run is there, with its bytes.
  void expect_all_whole(const Files& files) const {
    for (const auto& [name, contents] : whole_) {
      const auto found = files.find(name);
      if (found == files.end()) {
        EXPECT_TRUE(is_intermediate(name)) << name << " is missing";
      } else {
        EXPECT_TRUE(found->second == contents) << name << " differs";
      }
    }
  }
  /// No file is half written or stray. What cannot be unlinked stays.
  void expect_none_half(const Files& files, const Fault& fault) const {
    for (const auto& [name, contents] : files) {
      if (is_temporary(name)) {
        EXPECT_STREQ(fault.kind, "unlink") << "left: " << name;
        continue;
      }
      const auto found = whole_.find(name);
      if (found != whole_.end()) {
        EXPECT_TRUE(found->second == contents) << name << " is not whole";
      }
    }
  }

  /// One error line, but for the lines of `prepare verify`, which names each bad file first.
  void expect_one_line(const Outcome& outcome) const {
    EXPECT_LT(outcome.status, 75) << "a signal";
    EXPECT_EQ(outcome.said.find("internal error"), std::string::npos);
    if (outcome.said.find("the lines above say where") == std::string::npos) {
      EXPECT_EQ(outcome.errors(), 1);
    }
    EXPECT_EQ(outcome.said.find("terminate called"), std::string::npos);
  }

  /// What a report cannot read it names, with the reason.
  void expect_same_or_reason(const std::string& printed, const Fault& fault) const {
    if (printed_.empty() || printed == printed_) return;
    const std::string reason = std::generic_category().message(fault.error);
    EXPECT_NE(printed.find(reason), std::string::npos) << printed;
  }

  void try_point(const Fault& fault, int64_t at, Tally& tally) {
    begin();
    const FaultyEnd end = run(fault, at);
    if (end.failed == 0) return;  // another order of threads made fewer calls
    SCOPED_TRACE(describe(GetParam().name, fault, at, end));
    EXPECT_FALSE(end.hung);
    const Files left = files();
    expect_none_half(left, fault);
    ++tally.points;
    if (end.outcome.status == 0) {
      ++tally.unharmed;
      expect_all_whole(left);
      EXPECT_EQ(end.outcome.errors(), 0);
      expect_same_or_reason(end.outcome.printed, fault);
      return;
    }
    ++tally.refused;
    expect_one_line(end.outcome);
    expect_the_next_run_completes(left);
  }

  void expect_the_next_run_completes(const Files& left) {
    const bool complete = std::ranges::all_of(whole_, [&](const auto& file) {
      const auto found = left.find(file.first);
      return found != left.end() && found->second == file.second;
    });
    if (complete) return;  // the last call failed, after the output had its name
    const FaultyEnd again = run({"none", 0}, 0);
    EXPECT_EQ(again.outcome.status, 0) << "the next run: " << again.outcome.said;
    expect_all_whole(files());
  }

  Files whole_;
  std::string printed_;

 private:
  std::set<std::string> varying_;
  TemporaryFolder folder_;
};

TEST_P(EveryCall, EndsWellOrWithOneErrorAndLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(make_reference());
  const char* only = std::getenv("BERTHA_FAULT_NAME");
  int64_t reached = 0;
  for (const Fault& fault : all_faults()) {
    if (only != nullptr && name_of(fault) != only) continue;
    begin();
    const int64_t calls = run(fault, 0).calls;
    Tally tally;
    for (const int64_t at : points_of(calls)) try_point(fault, at, tally);
    reached += tally.points;
    add_to_table(fmt::format("{}\t{}\t{}\t{}\t{}\t{}", GetParam().name, name_of(fault), calls,
                             tally.points, tally.unharmed, tally.refused));
  }
  EXPECT_GT(reached, 0);
}

INSTANTIATE_TEST_SUITE_P(Commands, EveryCall, testing::ValuesIn(fault_cases()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace bertha::test
