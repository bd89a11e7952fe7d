#pragma once

// From questions to model inputs, as run_squad.py of BERT does it (Devlin et al. 2018, section
// 4.2): [CLS] question [SEP] part of the passage [SEP]. A passage that is too long is split into
// overlapping windows. Passages are tokenized once for all their questions. A window is stored as
// three numbers; its ids are assembled when a batch is made.

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ragged_batch.h"
#include "tasks/squad/squad_reader.h"
#include "text/tokenizer.h"
#include "text/unknown_share.h"

namespace bertha::tasks {

struct SquadFeatureOptions {
  int64_t max_seq_length = 384;
  int64_t doc_stride = 128;
  int64_t max_query_length = 64;  ///< longer questions are truncated to this number of tokens
  bool training = false;          ///< find the answers; every question needs exactly one
  bool version_2 = false;         ///< questions without an answer are allowed
  int64_t threads = 1;
  /// Throws Error when the questions need more windows.
  int64_t max_windows = std::numeric_limits<int32_t>::max();
};

/// Throws Error that names the option when the lengths leave no token for the passage.
void check(const SquadFeatureOptions& options);

/// A question about a passage that is not from a file.
struct PassageQuestion {
  std::string_view question;
  std::string_view passage;
};

/// A passage as words, split at white space, and their tokens.
struct SquadPassage {
  std::vector<std::string_view> words;  ///< views into the file's context
  std::vector<int32_t> word_places;     ///< place of each word in the context, in code points
  std::vector<int32_t> ids;             ///< ids of all tokens
  std::vector<int32_t> word_of_token;
  std::vector<int32_t> token_of_word;  ///< first token, or that of the next word if it has none
};

/// A question to answer. Skipped questions are not included.
struct SquadExample {
  int64_t question = 0;  ///< index in the file
  int64_t passage = 0;
  std::vector<int32_t> ids;  ///< of the question, truncated
  bool truncated = false;    ///< the question has more tokens
  int64_t first_window = 0;
  int64_t windows = 0;
};

/// A part of a passage for one question. Positions count from [CLS] = 0.
struct SquadWindow {
  int32_t example = 0;
  int32_t begin = 0;           ///< first token of the passage
  int32_t length = 0;          ///< tokens of the passage
  int32_t start_position = 0;  ///< training: first and last token of the answer, or 0 ([CLS])
  int32_t end_position = 0;    ///< if the window does not contain all of it
};

class SquadFeatures {
 public:
  /// `file` must outlive the features. Throws Error for a training question without exactly one
  /// answer, and for a tokenizer whose template of two texts is not [CLS] A [SEP] B [SEP].
  /// Questions whose answer is not in the passage are skipped and counted in problems().
  SquadFeatures(const SquadFile& file, const text::Tokenizer& tokenizer,
                const SquadFeatureOptions& options);
  /// Features for questions that are not from a file; the texts must outlive them. A question's id
  /// is its index. Equal passages are tokenized once. The options must not ask for training.
  SquadFeatures(std::span<const PassageQuestion> questions, const text::Tokenizer& tokenizer,
                const SquadFeatureOptions& options);
  SquadFeatures(const SquadFeatures&) = delete;
  SquadFeatures& operator=(const SquadFeatures&) = delete;

  const std::vector<SquadPassage>& passages() const { return passages_; }
  const std::vector<SquadExample>& examples() const { return examples_; }
  const std::vector<SquadWindow>& windows() const { return windows_; }
  const Problems& problems() const { return problems_; }
  /// The unknown tokens among those of all passages and questions.
  text::UnknownShare unknown() const;

  const SquadExample& example_of(const SquadWindow& window) const {
    return examples_[static_cast<size_t>(window.example)];
  }
  const SquadPassage& passage_of(const SquadWindow& window) const {
    return passages_[static_cast<size_t>(example_of(window).passage)];
  }
  /// Id of the window's question.
  const std::string& id_of(const SquadWindow& window) const {
    return asked_[static_cast<size_t>(example_of(window).question)].id;
  }
  /// The text of the window's passage.
  std::string_view context_of(const SquadWindow& window) const {
    return contexts_[static_cast<size_t>(example_of(window).passage)];
  }
  /// Position of the window's first passage token.
  int64_t passage_offset(const SquadWindow& window) const {
    return std::ssize(example_of(window).ids) + 2;
  }
  /// Number of tokens, including [CLS] and both [SEP].
  int64_t length_of(const SquadWindow& window) const {
    return passage_offset(window) + window.length + 1;
  }
  /// Id of the token at a position.
  int32_t token_at(const SquadWindow& window, int64_t position) const;
  /// True if, of all windows with the passage token at `position`, this one shows the most context
  /// around it: the highest min(left, right) + 0.01 · length, and the first of equals.
  bool is_max_context(const SquadWindow& window, int64_t position) const;

  /// Appends the window as a sequence.
  void append(const SquadWindow& window, RaggedBatch& batch) const;

 private:
  struct Answer {
    int64_t first = -1;  ///< tokens of the passage; -1: no answer
    int64_t last = -1;
  };

  /// A question, from a file or not.
  struct Asked {
    std::string id;
    std::string_view text;
    int64_t passage = 0;
  };

  void make();
  void tokenize_passages();
  void make_examples();
  bool make_example(int64_t question, SquadExample& example, Answer& answer,
                    Problems& problems) const;
  bool find_answer(const SquadQuestion& question, Answer& answer, Problems& problems) const;
  void cut(int64_t example, const Answer& answer);

  const SquadFile* file_ = nullptr;  ///< training takes the answers from it
  const text::Tokenizer& tokenizer_;
  SquadFeatureOptions options_;
  text::SpecialIds specials_;
  int32_t passage_segment_ = 1;
  std::vector<std::string_view> contexts_;
  std::vector<Asked> asked_;
  std::vector<SquadPassage> passages_;
  std::vector<SquadExample> examples_;
  std::vector<SquadWindow> windows_;
  Problems problems_;
};

}  // namespace bertha::tasks
