#pragma once

// A WordPiece vocabulary: `vocab.txt`, one piece a line, the id is the line number from 0.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bertha::text {

/// Ids of the pieces a model gives a meaning of its own.
struct SpecialIds {
  int32_t pad = 0;
  int32_t unk = 0;
  int32_t cls = 0;
  int32_t sep = 0;
  int32_t mask = 0;
};

class Vocabulary {
 public:
  /// Reads `vocab.txt`. Lines end with \n, \r\n or \r and are stripped of blanks at both ends.
  /// Throws Error naming file and line when the file cannot be read, is empty, is not UTF-8, holds
  /// a NUL or a line over kMaxPieceBytes, or is larger than kMaxFileBytes.
  static Vocabulary load(const std::string& path);
  /// The same from memory; `name` stands for the file in messages.
  static Vocabulary parse(std::string_view contents, const std::string& name = "vocabulary");

  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;
  ~Vocabulary() = default;

  /// Number of lines: every id is in [0, size()).
  int64_t size() const { return static_cast<int64_t>(pieces_.size()); }
  /// The id of a piece; for a piece on several lines the last of them.
  std::optional<int32_t> find(std::string_view piece) const;
  /// As find(); throws Error naming the vocabulary and the piece when there is none.
  int32_t id(std::string_view piece) const;
  /// The text of a line; throws LogicError when the id is outside [0, size()).
  std::string_view piece(int32_t id) const;

  /// [PAD], [UNK], [CLS], [SEP], [MASK]; throws Error naming the first that is missing.
  SpecialIds specials() const;

  /// One id for each distinct piece, in the order in which pieces first appear. This is what a
  /// random replacement is drawn from: a repeated line counts once, with its last id.
  std::span<const int32_t> distinct_ids() const { return distinct_ids_; }

  /// What stands for the file in messages.
  const std::string& name() const { return name_; }

  static constexpr int64_t kMaxFileBytes = int64_t{1} << 28;
  static constexpr int64_t kMaxPieceBytes = 1024;

 private:
  Vocabulary(std::string_view contents, std::string name);
  void add_line(std::string_view line);

  std::string name_;
  std::vector<char> text_;  // every piece, end to end; a vector, so that a move keeps its address
  std::vector<std::string_view> pieces_;
  std::unordered_map<std::string_view, int32_t> ids_;
  std::vector<int32_t> distinct_ids_;
};

}  // namespace bertha::text
