#include "text/tokenizer_sources.h"

#include <filesystem>
#include <string_view>

#include "core/error.h"
#include "io/file_status.h"
#include "io/shallow_json.h"
#include "io/whole_file.h"

namespace bertha::text {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVocabularyName = "vocab.txt";
constexpr const char* kTokenizerName = "tokenizer.json";

std::string read_file(const std::string& path) {
  return io::read_whole_file(path, "the tokenizer", Vocabulary::kMaxFileBytes);
}

JsonFile parse(const std::string& contents, const std::string& path) {
  JsonFile file = {path, io::parse_json(contents)};
  if (!file.root.is_object()) {
    fail("{}: expected a JSON object, nested {} deep at most", path, io::kMostJsonDepth);
  }
  return file;
}

bool is_there(const fs::path& path) {
  return io::exists(path) && !io::is_folder(path);
}

JsonFile parse_if_there(const fs::path& path) {
  return is_there(path) ? parse(read_file(path.string()), path.string()) : JsonFile{};
}

/// A vocab.txt may start with the piece "{"; a tokenizer.json also names its model.
bool is_tokenizer_json(std::string_view contents) {
  const size_t first = contents.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && contents[first] == '{' &&
         contents.find("\"model\"") != std::string_view::npos;
}

void read_vocabulary_file(const fs::path& path, TokenizerSources& to) {
  const std::string contents = read_file(path.string());
  if (is_tokenizer_json(contents)) {
    to.tokenizer = parse(contents, path.string());
  } else {
    to.lines = Vocabulary::parse(contents, path.string());
  }
}

void read_both(const fs::path& folder, TokenizerSources& to) {
  const bool lines = is_there(folder / kVocabularyName);
  if (lines) read_vocabulary_file(folder / kVocabularyName, to);
  if (is_there(folder / kTokenizerName)) {
    to.tokenizer = parse_if_there(folder / kTokenizerName);
  } else if (!lines) {
    fail("{}: neither {} nor {} in this folder", folder.string(), kVocabularyName, kTokenizerName);
  }
}

}  // namespace

TokenizerSources read_tokenizer_sources(const std::string& path) {
  const fs::path named(path);
  const bool is_folder = io::is_folder(named);
  const fs::path folder = is_folder ? named : named.parent_path();
  const bool usual = named.filename() == kVocabularyName || named.filename() == kTokenizerName;
  TokenizerSources sources;
  if (is_folder || (usual && is_there(named))) {
    read_both(folder, sources);
  } else {
    read_vocabulary_file(named, sources);
  }
  sources.config = parse_if_there(folder / "tokenizer_config.json");
  sources.special_tokens = parse_if_there(folder / "special_tokens_map.json");
  sources.added_tokens = parse_if_there(folder / "added_tokens.json");
  return sources;
}

}  // namespace bertha::text
