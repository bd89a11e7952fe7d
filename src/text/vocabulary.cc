#include "text/vocabulary.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/counted.h"
#include "core/error.h"
#include "core/utf8.h"
#include "io/whole_file.h"
#include "text/unicode.h"

namespace bertha::text {

namespace {

// The characters that Python's str.strip() removes, including U+001C to U+001F and U+0085.
bool is_blank(char32_t c) {
  if ((c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F) || c == 0x85) return true;
  const CharacterRules& rules = CharacterRules::of(TokenRules::kRecipe);
  return (rules.properties(c) & CharacterRules::kSpace) != 0;
}

std::string_view strip(std::string_view line) {
  size_t begin = 0;
  size_t end = 0;  // one past the last character that is not white space
  bool started = false;
  for (size_t at = 0; at < line.size();) {
    const Decoded decoded = decode_utf8(line.data() + at, line.data() + line.size());
    const size_t next = at + static_cast<size_t>(decoded.length);
    if (!is_blank(decoded.code_point)) {
      if (!started) begin = at;
      started = true;
      end = next;
    }
    at = next;
  }
  return line.substr(begin, end - begin);
}

}  // namespace

Vocabulary Vocabulary::load(const std::string& path) {
  return parse(io::read_whole_file(path, "the vocabulary", kMaxFileBytes), path);
}

Vocabulary Vocabulary::parse(std::string_view contents, const std::string& name) {
  if (contents.empty()) fail("{}: empty; expected a vocabulary with one piece per line", name);
  return Vocabulary(contents, name);
}

Vocabulary::Vocabulary(std::string_view contents, std::string name)
    : name_(std::move(name)), text_(contents.begin(), contents.end()) {
  const std::string_view text(text_.data(), text_.size());
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of("\r\n", begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    check_line(line);
    pieces_.push_back(strip(line));
    begin = end + (text.substr(end, 2) == "\r\n" ? 2 : 1);
  }
  index();
}

Vocabulary Vocabulary::of_pieces(std::span<const std::string> pieces, const std::string& name) {
  Vocabulary vocabulary("", name);
  for (const std::string& piece : pieces) {
    vocabulary.text_.insert(vocabulary.text_.end(), piece.begin(), piece.end());
  }
  const char* at = vocabulary.text_.data();
  for (const std::string& piece : pieces) {
    const std::string_view kept(at, piece.size());
    vocabulary.check_line(kept);
    vocabulary.pieces_.push_back(kept);
    at += piece.size();
  }
  vocabulary.index();
  return vocabulary;
}

void Vocabulary::index() {
  ids_.reserve(pieces_.size());
  std::vector<std::string_view> distinct;
  for (size_t line = 0; line < pieces_.size(); ++line) {
    const auto [entry, added] = ids_.insert_or_assign(pieces_[line], static_cast<int32_t>(line));
    if (added) distinct.push_back(entry->first);
  }
  distinct_ids_.reserve(distinct.size());
  for (const std::string_view piece : distinct) distinct_ids_.push_back(ids_.at(piece));
}

void Vocabulary::check_line(std::string_view line) const {
  const size_t number = pieces_.size() + 1;
  if (line.size() > static_cast<size_t>(kMaxPieceBytes)) {
    fail("{}: line {} has {} bytes; expected one piece of at most {}", name_, number, line.size(),
         kMaxPieceBytes);
  }
  if (line.find('\0') != std::string_view::npos) {
    fail("{}: line {} holds a NUL byte; expected UTF-8 text", name_, number);
  }
  if (const int64_t at = find_invalid_utf8(line); at >= 0) {
    fail("{}: line {}, byte {} is not UTF-8", name_, number, at);
  }
}

std::optional<int32_t> Vocabulary::find(std::string_view piece) const {
  const auto found = ids_.find(piece);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

int32_t Vocabulary::id(std::string_view piece) const {
  const std::optional<int32_t> found = find(piece);
  if (!found) {
    fail("{}: no {} among its {}; expected a WordPiece vocabulary, one piece on each line", name_,
         piece, counted(size(), "piece"));
  }
  return *found;
}

std::string_view Vocabulary::piece(int32_t id) const {
  BERTHA_CHECK(id >= 0 && id < size(), "id {} of {}", id, size());
  return pieces_[static_cast<size_t>(id)];
}

SpecialIds Vocabulary::specials() const {
  return {id("[PAD]"), id("[UNK]"), id("[CLS]"), id("[SEP]"), id("[MASK]")};
}

}  // namespace bertha::text
