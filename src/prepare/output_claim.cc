#include "prepare/output_claim.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/counted.h"
#include "core/error.h"
#include "io/shallow_json.h"
#include "runlog/append_file.h"

namespace bertha::prepare {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string record_of(const std::string& folder) {
  return (fs::path(folder) / ".bertha_prepare.jsonl").string();
}

/// A text that JSON can hold: names of files need not be UTF-8.
std::string printable(const std::string& text) {
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// The commands of the record by the outputs that they made last. Lines of other stages and lines
/// that cannot be read do not count.
std::map<std::string, MadeBy> read_makers(const OutputClaim& claim) {
  std::map<std::string, MadeBy> makers;
  std::ifstream file(record_of(claim.folder), std::ios::binary);
  for (std::string line; std::getline(file, line);) {
    const Json record = io::parse_json(line);
    if (!record.is_object() || record.value("stage", Json()) != claim.stage) continue;
    try {
      const auto made_by = record.at("made_by").get<MadeBy>();
      for (const std::string name : record.at("outputs")) makers[name] = made_by;
    } catch (const Json::exception&) {
      continue;
    }
  }
  return makers;
}

/// "max_seq_length is 64 here, 128 there"; empty where nothing differs.
std::string differences(const MadeBy& here, const MadeBy& there) {
  std::string text;
  for (const auto& [name, value] : here) {
    const auto other = std::ranges::find(there, name, &MadeBy::value_type::first);
    const std::string theirs = other == there.end() ? "not set" : other->second;
    if (theirs == value) continue;
    text += fmt::format("{}{} is {} here, {} there", text.empty() ? "" : "; ", name, value, theirs);
  }
  return text;
}

/// Why an output that is there is not this command's; nothing where it is.
std::optional<std::string> reason_against(const std::string& output, const MadeBy& made_by,
                                          const std::map<std::string, MadeBy>& makers) {
  const auto maker = makers.find(output);
  if (maker == makers.end()) return "no record of this program";
  std::string text = differences(made_by, maker->second);
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

OutputClaim as_printable(OutputClaim claim) {
  for (std::string& name : claim.outputs) name = printable(name);
  for (std::string& name : claim.present) name = printable(name);
  for (auto& [name, value] : claim.made_by) value = printable(value);
  return claim;
}

}  // namespace

void claim_outputs(const OutputClaim& asked, bool overwrite) {
  const OutputClaim claim = as_printable(asked);
  const std::map<std::string, MadeBy> makers = read_makers(claim);
  for (const std::string& output : claim.present) {
    const std::optional<std::string> reason = reason_against(output, claim.made_by, makers);
    if (!reason || overwrite) continue;
    fail(
        "{}: {} is there, which another command made ({}); give another --{}, or --overwrite to "
        "replace it",
        claim.folder, output, *reason, claim.option);
  }
  const bool recorded = std::ranges::all_of(claim.outputs, [&](const std::string& output) {
    return !reason_against(output, claim.made_by, makers);
  });
  if (recorded) return;
  const Json record = {
      {"stage", claim.stage}, {"outputs", claim.outputs}, {"made_by", claim.made_by}};
  runlog::AppendFile file(record_of(claim.folder));
  file.write((file.ends_a_line() ? "" : "\n") + record.dump() + "\n");
}

std::string describe_inputs(const std::vector<std::string>& paths) {
  if (std::ranges::find(paths, "-") != paths.end()) return "standard input";
  uintmax_t bytes = 0;
  for (const std::string& path : paths) {
    std::error_code error;
    bytes += fs::file_size(path, error);
    if (error) fail("{}: cannot read: {}", path, error.message());
  }
  return fmt::format("{}, {} bytes", counted(std::ssize(paths), "file"), bytes);
}

}  // namespace bertha::prepare
