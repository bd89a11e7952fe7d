#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/free_memory.h"
#include "doctor/build_info.h"
#include "doctor/device_facts.h"
#include "doctor/folder_facts.h"
#include "doctor/machine_facts.h"
#include "doctor/report.h"
#include "support/files.h"

namespace bertha::doctor {
namespace {

TEST(Report, AProblemMakesItNotWorkAndIsNamedInTheLastLine) {
  Report report;
  report.facts = {{.name = "threads", .text = "2 of 2"},
                  {.name = "memory", .state = State::kNote, .text = "little"}};
  EXPECT_TRUE(report.works());
  EXPECT_TRUE(report_text(report, 80).ends_with("\nEverything that was tried works.\n"));
  report.facts.push_back({.name = "folder", .state = State::kProblem, .text = "read-only"});
  EXPECT_FALSE(report.works());
  EXPECT_TRUE(report_text(report, 80).ends_with("\nThis will not work: folder.\n"));
  EXPECT_NE(report_text(report, 80).find("memory       note: little\n"), std::string::npos);
}

TEST(Report, LinesFitTheWidth) {
  Report report;
  report.facts = {{.name = "threads",
                   .text = std::string("word word ") + std::string(30, 'x') +
                           " many more words of a long sentence here"}};
  const std::string text = report_text(report, 40);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    EXPECT_LE(end - begin, 43U) << text.substr(begin, end - begin);
    begin = end + 1;
  }
}

TEST(Report, JsonHasStatesAndValues) {
  Report report;
  report.facts = {{.name = "threads",
                   .state = State::kNote,
                   .text = "a \xff byte",
                   .values = {{"allowed", 3}}}};
  const auto json = nlohmann::json::parse(report_json(report));
  EXPECT_EQ(json["works"], true);
  EXPECT_EQ(json["facts"][0]["name"], "threads");
  EXPECT_EQ(json["facts"][0]["state"], "note");
  EXPECT_EQ(json["facts"][0]["values"]["allowed"], 3);
}

TEST(Report, BytesHaveTheUnitThatFits) {
  EXPECT_EQ(format_bytes(0), "0 bytes");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(64 << 20), "64.0 MiB");
  EXPECT_EQ(format_bytes(500.0 * (1 << 30)), "500 GiB");
}

TEST(BuildInfo, TheVersionTextNamesCommitCompilerAndLibrariesAndNoPath) {
  const BuildInfo info = build_info();
  const std::string text = version_text(info);
  EXPECT_TRUE(text.starts_with("bertha " + info.version + "\n")) << text;
  EXPECT_NE(text.find("commit: "), std::string::npos);
  EXPECT_FALSE(info.commit.empty());
  EXPECT_NE(text.find(info.compiler), std::string::npos);
  EXPECT_NE(text.find("oneDNN "), std::string::npos);
  EXPECT_EQ(text.find('/'), std::string::npos) << text;
}

TEST(FolderFacts, AFolderThatCanBeWrittenIsFineAndLeftEmpty) {
  const test::TemporaryFolder folder;
  const Fact fact = fact_of_folder(folder.path().string());
  EXPECT_NE(fact.state, State::kProblem) << fact.text;
  EXPECT_NE(fact.text.find("fsync and rename work"), std::string::npos) << fact.text;
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(FolderFacts, AFolderThatDoesNotExistOrCannotBeWrittenIsAProblem) {
  EXPECT_EQ(fact_of_folder("/does/not/exist").state, State::kProblem);
  // Nothing can be made in /proc, also by root.
  const Fact fact = fact_of_folder("/proc");
  EXPECT_EQ(fact.state, State::kProblem);
  EXPECT_NE(fact.text.find("no checkpoint can be written"), std::string::npos) << fact.text;
  EXPECT_NE(fact.text.find("(proc)"), std::string::npos) << fact.text;
}

TEST(DeviceFacts, TheVersionOfTheDriverIsRead) {
  const test::TemporaryFolder root;
  EXPECT_EQ(nvidia_driver(root.path().string()), "");
  test::write_all(root.path() / "proc/driver/nvidia/version",
                  "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release "
                  "Build  (dvs-builder@U16)\nGCC version:  gcc version 12.3.0\n");
  EXPECT_EQ(nvidia_driver(root.path().string()), "580.65.06");
}

TEST(DeviceFacts, GaudiDevicesAreCountedByTheirVendor) {
  const test::TemporaryFolder root;
  EXPECT_EQ(gaudi_devices(root.path().string()), 0);
  for (const auto& [device, vendor] :
       std::vector<std::pair<std::string, std::string>>{{"0000:00:01.0", "0x8086\n"},
                                                        {"0000:19:00.0", "0x1da3\n"},
                                                        {"0000:b3:00.0", "0x1da3\n"}}) {
    test::write_all(root.path() / "sys/bus/pci/devices" / device / "vendor", vendor);
  }
  EXPECT_EQ(gaudi_devices(root.path().string()), 2);
}

TEST(MachineFacts, EveryFactHasTextAndValues) {
  for (const Fact& fact : {fact_of_build(), fact_of_processor(), fact_of_threads(),
                           fact_of_memory(), fact_of_huge_pages(), fact_of_locale()}) {
    EXPECT_FALSE(fact.name.empty());
    EXPECT_FALSE(fact.text.empty()) << fact.name;
  }
  EXPECT_GT(free_memory().bytes, 0);
}

}  // namespace
}  // namespace bertha::doctor
