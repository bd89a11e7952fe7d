#include "corpus/manifest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "core/error.h"
#include "corpus/digest.h"
#include "io/atomic_file.h"
#include "io/crc32.h"

namespace bertha::corpus {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kEndBytes = size_t{1} << 16;

std::string relative_to(const std::string& root, const std::string& path) {
  return fs::path(path).lexically_normal().lexically_relative(fs::path(root).lexically_normal());
}

/// The check sum of a file's first and last 64 KiB: with its size enough to tell dumps and
/// manifests apart without reading all of a large file.
uint32_t sum_of_ends(const std::string& path) {
  const io::MappedFile file(path);
  const std::string_view text = file.text();
  std::string ends(text.substr(0, kEndBytes));
  ends += text.substr(text.size() - std::min(text.size(), kEndBytes));
  return io::crc32(std::as_bytes(std::span(ends)));
}

json describe_inputs(const StageWork& work) {
  json inputs = json::object();
  for (const std::string& path : work.inputs) {
    if (!fs::exists(path)) fail("{}: is missing; the {} stage reads it", path, work.stage);
    inputs[relative_to(work.root, path)] = {{"bytes", fs::file_size(path)},
                                            {"crc32_of_ends", sum_of_ends(path)}};
  }
  return inputs;
}

json read_manifest(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return file ? json::parse(file, nullptr, false) : json();
}

bool same_outputs(const StageWork& work, const json& manifest, std::string& why) {
  const json outputs = manifest.value("outputs", json());
  if (!outputs.is_object()) {
    why = "its manifest is damaged";
    return false;
  }
  for (const auto& [name, facts] : outputs.items()) {
    std::error_code error;
    const auto bytes = fs::file_size(fs::path(work.root) / name, error);
    if (error || !facts.is_object() || facts.value("bytes", json()) != json(bytes)) {
      why = name + (error ? " is missing" : " has another size");
      return false;
    }
  }
  return true;
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
  return same_outputs(work, manifest, why);
}

void begin_stage(const StageWork& work) {
  std::error_code error;
  fs::create_directories(fs::path(work.manifest).parent_path(), error);
  if (error) fail("{}: cannot make the folder: {}", work.manifest, error.message());
  fs::remove(work.manifest, error);
  if (error) fail("{}: cannot remove: {}", work.manifest, error.message());
  io::remove_leftovers(fs::path(work.manifest).parent_path().string());
}

void finish_stage(const StageWork& work, const std::map<std::string, int64_t>& counts,
                  const std::vector<std::string>& outputs) {
  json manifest = {
      {"version", kVersion},     {"stage", work.stage}, {"inputs", describe_inputs(work)},
      {"options", work.options}, {"counts", counts},    {"outputs", json::object()}};
  for (const std::string& path : outputs) {
    manifest["outputs"][relative_to(work.root, path)] = {{"bytes", fs::file_size(path)},
                                                         {"sha256", file_digest(path, "sha256")}};
  }
  constexpr auto kReplace = json::error_handler_t::replace;
  io::write_file(work.manifest, manifest.dump(1, ' ', false, kReplace) + "\n");
}

}  // namespace bertha::corpus
