#include "prepare/manifest.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "core/error.h"
#include "io/archive/crc32.h"
#include "io/archive/digest.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/file_status.h"
#include "io/shallow_json.h"
#include "io/whole_file.h"

namespace bertha::prepare {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kVersion = 2;
constexpr size_t kEndBytes = size_t{1} << 16;

std::string relative_to(const std::string& root, const std::string& path) {
  return fs::path(path).lexically_normal().lexically_relative(fs::path(root).lexically_normal());
}

/// The checksum of a file's first and last 64 KiB. Together with the file's size it
/// distinguishes dumps and manifests, and does not need all of a large file to be read.
uint32_t checksum_of_ends(const std::string& path) {
  const io::MappedFile file(path);
  const std::string_view text = file.text();
  std::string ends(text.substr(0, kEndBytes));
  ends += text.substr(text.size() - std::min(text.size(), kEndBytes));
  return io::crc32(std::as_bytes(std::span(ends)));
}

/// A name that JSON can hold: bytes that are not UTF-8 become U+FFFD.
std::string printable(const std::string& name) {
  return json::parse(json(name).dump(-1, ' ', false, json::error_handler_t::replace));
}

json facts_of(const std::string& path) {
  return {{"bytes", fs::file_size(path)}, {"crc32_of_ends", checksum_of_ends(path)}};
}

/// Null where there is none.
json read_manifest(const std::string& path) {
  constexpr int64_t kMostBytes = int64_t{1} << 25;  // JSON takes many times its size in memory
  if (!io::exists(path)) return {};
  return io::parse_json(io::read_whole_file(path, "the manifest", kMostBytes));
}

/// The first output that is not as the manifest says; empty when all outputs are.
std::string fault_of_outputs(const std::string& root, const json& manifest) {
  const json outputs = manifest.is_object() ? manifest.value("outputs", json()) : json();
  if (!outputs.is_object()) return "its manifest is damaged";
  for (const auto& [name, facts] : outputs.items()) {
    const std::string path = (fs::path(root) / name).string();
    if (!io::is_regular_file(path)) return name + " is missing";
    if (!facts.is_object()) return "its manifest is damaged";
    json now = facts_of(path);
    now["sha256"] = facts.value("sha256", json());
    if (now != facts) return name + " has changed";
  }
  return "";
}

/// Files inside the working folder are described by name and contents, other files by contents
/// alone. Throws Error when an input is missing, or is a manifest whose outputs have changed.
json describe_inputs(const StageWork& work) {
  const fs::path manifests = fs::path(work.manifest).parent_path();
  json inputs = json::array();
  for (const std::string& path : work.inputs) {
    if (!io::exists(path)) fail("{}: is missing; the {} stage reads it", path, work.stage);
    if (fs::path(path).parent_path() == manifests) {
      const std::string fault = fault_of_outputs(work.root, read_manifest(path));
      if (!fault.empty()) fail("{}: {}; run the stage that makes it again", path, fault);
    }
    json input = facts_of(path);
    const std::string name = relative_to(work.root, path);
    if (!name.starts_with("..")) input["name"] = printable(name);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace

bool is_done(const StageWork& work, std::string& why) {
  const json manifest = read_manifest(work.manifest);
  if (!manifest.is_object()) {
    why = manifest.is_null() ? "not done yet" : "its manifest is damaged";
    return false;
  }
  why = "it was made by another version";
  if (manifest.value("version", json()) != json(kVersion)) return false;
  why = "other options";
  if (manifest.value("options", json()) != json(work.options)) return false;
  why = "other inputs";
  if (manifest.value("inputs", json()) != describe_inputs(work)) return false;
  why = fault_of_outputs(work.root, manifest);
  return why.empty();
}

void begin_stage(const StageWork& work) {
  const std::string folder = fs::path(work.manifest).parent_path().string();
  io::make_folder(folder);
  std::error_code error;
  fs::remove(work.manifest, error);
  if (error) fail("{}: cannot remove: {}", work.manifest, error.message());
  io::remove_leftovers(folder);
}

void finish_stage(const StageWork& work, const std::map<std::string, int64_t>& counts,
                  const std::vector<std::string>& outputs) {
  json manifest = {
      {"version", kVersion},     {"stage", work.stage}, {"inputs", describe_inputs(work)},
      {"options", work.options}, {"counts", counts},    {"outputs", json::object()}};
  for (const std::string& path : outputs) {
    json facts = facts_of(path);
    facts["sha256"] = io::file_digest(path, "sha256");
    manifest["outputs"][relative_to(work.root, path)] = std::move(facts);
  }
  constexpr auto kReplace = json::error_handler_t::replace;
  io::write_file(work.manifest, manifest.dump(1, ' ', false, kReplace) + "\n");
}

}  // namespace bertha::prepare
