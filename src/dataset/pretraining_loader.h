#pragma once

// Micro-batches of pre-training from shard files. The order of the data is a pure function of
// (files, seed, position): one endless stream of rows, in which epoch e holds every row of every
// shard once, shards in a permutation of their own and rows permuted within each shard.
// Micro-batches run on across shards and epochs. Rank r of R takes micro-batches r, r + R, …
// counted from the position (or runs of them, see set_turn), so the ranks together read the stream
// that one rank would read.

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/ragged_batch.h"
#include "dataset/hdf5_shard.h"

namespace bertha::dataset {

/// Shards of training and of held-out data: names with "training" ("_test_" for held-out) that end
/// in ".hdf5", sorted as text; where none has "training" and they are packed, all. Throws Error
/// when the folder cannot be read or has none.
std::vector<std::string> find_shards(const std::string& folder);
std::vector<std::string> find_test_shards(const std::string& folder);

struct LoaderOptions {
  int64_t micro_batch = 32;  ///< rows
  uint64_t seed = 42;
  int64_t rank = 0;
  int64_t ranks = 1;
  ShardLimits limits;
  int64_t prefetch = 4;  ///< micro-batches made ahead on a thread; 0: made when asked for
};

/// Rows of the stream by number, without their contents.
class RowOrder {
 public:
  RowOrder(std::vector<int64_t> shard_rows, uint64_t seed);

  int64_t rows() const { return rows_; }  ///< of an epoch
  int64_t shards() const { return static_cast<int64_t>(shard_rows_.size()); }
  /// Has epoch `epoch` take its shards in the order given, a permutation.
  void fix_shard_order(int64_t epoch, std::vector<int32_t> order);
  /// Shards in the order of an epoch, as indices of the sorted files.
  void shard_order(int64_t epoch, std::vector<int32_t>& order) const;
  /// Rows of a shard in the order of an epoch. 4 bytes a row.
  void row_order(int64_t epoch, int32_t shard, std::vector<uint32_t>& order) const;

  int64_t rows_of(int32_t shard) const { return shard_rows_[static_cast<size_t>(shard)]; }

 private:
  std::vector<int64_t> shard_rows_;
  int64_t rows_ = 0;
  uint64_t seed_;
  int64_t fixed_epoch_ = -1;
  std::vector<int32_t> fixed_order_;
};

/// A row of the stream by its place. Holds the epoch's shard order, so that a step forward costs
/// next to nothing and allocates nothing.
class RowCursor {
 public:
  explicit RowCursor(const RowOrder& order) : order_(order) {}

  /// Goes to row `position` >= 0 of the stream.
  void move_to(int64_t position);
  /// Must follow a change of the order: the next move looks everything up.
  void reset() { epoch_ = -1; }

  int64_t epoch() const { return epoch_; }
  int64_t index() const { return index_; }  ///< in shard_order()
  int64_t row() const { return row_; }      ///< in the shard's row order
  const std::vector<int32_t>& shard_order() const { return shards_; }

 private:
  const RowOrder& order_;
  std::vector<int32_t> shards_;
  int64_t epoch_ = -1;
  int64_t index_ = 0;
  int64_t row_ = 0;
  int64_t shard_begin_ = 0;  ///< position of the shard's first row in the epoch
};

/// For the log and for a checkpoint's `files` and `epoch`.
struct LoaderState {
  int64_t position = 0;            ///< rows of the stream that all ranks have consumed
  int64_t epoch = 0;               ///< of the next row
  int64_t file_index = 0;          ///< shard of the next row, in `files`
  std::vector<std::string> files;  ///< the epoch's order
};

class PretrainingLoader {
 public:
  /// Reads the metadata of every file. Throws Error for no file and for one that is no shard.
  PretrainingLoader(std::vector<std::string> files, const LoaderOptions& options);
  PretrainingLoader(const PretrainingLoader&) = delete;
  PretrainingLoader& operator=(const PretrainingLoader&) = delete;
  /// Waits for the thread; at worst until the shard it is reading has been read.
  ~PretrainingLoader();

  int64_t rows() const { return order_.rows(); }  ///< of an epoch
  /// Tokens of the longest row there may be, for sizing: S of the widest shard.
  int64_t max_seq_length() const { return max_seq_length_; }
  /// Masked tokens of the fullest row there may be.
  int64_t max_predictions() const { return max_predictions_; }
  /// Whether rows hold several sequences, and how many at most.
  bool packed() const { return shapes_.front().packed(); }
  int64_t sequences_a_row() const { return sequences_a_row_; }

  /// The next micro-batch of this rank, valid until the next call. Steady calls allocate nothing
  /// and wait for nothing as long as the thread keeps ahead. Throws Error for a faulty shard.
  const PretrainingBatch& next();

  /// A rank takes `micro_batches` in a row, then the next rank does: the accumulation steps, so
  /// that a rank's part of a step lies together. seek() must follow.
  void set_turn(int64_t micro_batches);

  /// Rows of the stream that all ranks have consumed when each has made the same number of calls,
  /// whole turns.
  int64_t position() const { return position_; }
  /// Goes on as if `position` rows had been consumed. Reads at most one shard, at the next call.
  void seek(int64_t position);
  LoaderState state() const;
  /// Has epoch `epoch` take the shards as `files` lists them: the epoch goes on that a checkpoint
  /// was written in, whoever wrote it. Files are told by their names without the folder, so a moved
  /// dataset is found again. False, and nothing changed, when the names are not those of this
  /// loader's files. seek() must follow.
  bool take_order(int64_t epoch, const std::vector<std::string>& files);
  /// First row in the stream of the shard at `index` of the epoch's order; of the next epoch when
  /// `index` is past the last.
  int64_t position_of(int64_t epoch, int64_t index) const;

 private:
  /// A shard in memory, in the order of one epoch.
  struct OpenShard {
    RaggedShard rows;
    std::vector<uint32_t> order;
    int64_t epoch = -1;
    int64_t index = -1;
    bool is(int64_t of_epoch, int64_t at_index) const {
      return epoch == of_epoch && index == at_index;
    }
  };

  void fill(int64_t position, PretrainingBatch& batch);
  void open_shard(int64_t epoch, int64_t index);
  OpenShard load(int64_t epoch, int64_t index) const;
  void produce();
  int64_t row_of_call(int64_t call) const;
  void start();
  void stop();
  void reserve(PretrainingBatch& batch) const;
  int64_t stride() const { return options_.micro_batch * options_.ranks; }

  std::vector<std::string> files_;
  LoaderOptions options_;
  std::vector<ShardShape> shapes_;
  RowOrder order_;
  int64_t max_seq_length_ = 0;
  int64_t max_predictions_ = 0;
  int64_t sequences_a_row_ = 1;
  int64_t position_ = 0;
  int64_t turn_ = 1;
  int64_t sought_ = 0;  ///< position of the last seek()
  int64_t calls_ = 0;   ///< of next() since then

  // Of the thread while it runs, else of the caller.
  RowCursor cursor_;
  OpenShard shard_;
  std::future<OpenShard> next_shard_;

  // A ring: slots [consumed_, produced_) modulo its size are ready. The batch the caller holds is
  // slot consumed_ - 1, which the thread leaves alone.
  std::vector<PretrainingBatch> slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t produced_ = 0;
  int64_t consumed_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace bertha::dataset
