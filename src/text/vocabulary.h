#pragma once

// A WordPiece vocabulary: `vocab.txt` with one piece per line. The id is the line number, from 0.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bertha::text {

/// Ids of the special pieces.
struct SpecialIds {
  int32_t pad = 0;
  int32_t unk = 0;
  int32_t cls = 0;
  int32_t sep = 0;
  int32_t mask = 0;
};

class Vocabulary {
 public:
  /// Reads `vocab.txt`. Lines end with \n, \r\n or \r, and white space at both ends of a line is
  /// removed. Throws Error that names file and line when the file cannot be read, is empty, is not
  /// UTF-8, holds a NUL or a line over kMaxPieceBytes, or is larger than kMaxFileBytes.
  static Vocabulary load(const std::string& path);
  /// The same from memory. Messages use `name` as the file name.
  static Vocabulary parse(std::string_view contents, const std::string& name = "vocabulary");

  /// One piece a string, kept as it is. Throws Error that names a piece that is not UTF-8, holds a
  /// NUL or is over kMaxPieceBytes.
  static Vocabulary of_pieces(std::span<const std::string> pieces, const std::string& name);

  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;
  ~Vocabulary() = default;

  /// Number of lines: every id is in [0, size()).
  int64_t size() const { return static_cast<int64_t>(pieces_.size()); }
  /// The id of a piece. For a piece on several lines it is the last line.
  std::optional<int32_t> find(std::string_view piece) const;
  /// Like find(), but throws Error that names the vocabulary and the piece when it is absent.
  int32_t id(std::string_view piece) const;
  /// The text of a line. Throws LogicError when the id is outside [0, size()).
  std::string_view piece(int32_t id) const;

  /// [PAD], [UNK], [CLS], [SEP], [MASK]. Throws Error that names the first missing one.
  SpecialIds specials() const;

  /// One id per distinct piece, in the order in which pieces first appear. Random replacements are
  /// drawn from these: a repeated line counts once, with its last id.
  std::span<const int32_t> distinct_ids() const { return distinct_ids_; }

  /// The file name that messages use.
  const std::string& name() const { return name_; }

  static constexpr int64_t kMaxFileBytes = int64_t{1} << 28;
  static constexpr int64_t kMaxPieceBytes = 1024;

 private:
  Vocabulary(std::string_view contents, std::string name);
  void check_line(std::string_view line) const;
  void index();

  std::string name_;
  std::vector<char> text_;  // every piece, end to end; a vector, so that a move keeps the address
  std::vector<std::string_view> pieces_;
  std::unordered_map<std::string_view, int32_t> ids_;
  std::vector<int32_t> distinct_ids_;
};

}  // namespace bertha::text
