#pragma once

// Micro-batches of pre-training from shard files. The order of the data is a pure function of
// (files, seed, position). It is one endless stream of rows: epoch e holds every row of every shard
// once, with the shards in a permutation of the epoch and the rows permuted within each shard.
// Micro-batches continue across shards and epochs. Rank r of R takes micro-batches r, r + R, … from
// the position on (or runs of them, see set_turn), so the ranks together read the same stream as a
// single rank.

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

/// Shards of training or of held-out data, sorted as text: names that contain "training" ("_test_"
/// for held-out data) and end in ".hdf5". If no name contains "training" and the shards are packed,
/// all are training shards. Throws Error when the folder cannot be read or has no such shard.
std::vector<std::string> find_shards(const std::string& folder);
std::vector<std::string> find_test_shards(const std::string& folder);

struct LoaderOptions {
  int64_t micro_batch = 32;  ///< rows
  uint64_t seed = 42;
  int64_t rank = 0;
  int64_t ranks = 1;
  ShardLimits limits;
  int64_t prefetch = 4;  ///< micro-batches prepared ahead by a thread; 0: prepared on demand
};

/// The order of the rows of the stream, without their contents.
class RowOrder {
 public:
  RowOrder(std::vector<int64_t> shard_rows, uint64_t seed);

  int64_t rows() const { return rows_; }  ///< per epoch
  int64_t shards() const { return static_cast<int64_t>(shard_rows_.size()); }
  /// Sets the order of the shards in epoch `epoch` to a given permutation.
  void fix_shard_order(int64_t epoch, std::vector<int32_t> order);
  /// Shards in the order of an epoch, as indices of the sorted files.
  void shard_order(int64_t epoch, std::vector<int32_t>& order) const;
  /// Rows of a shard in the order of an epoch. Takes 4 bytes per row.
  void row_order(int64_t epoch, int32_t shard, std::vector<uint32_t>& order) const;

  int64_t rows_of(int32_t shard) const { return shard_rows_[static_cast<size_t>(shard)]; }

 private:
  std::vector<int64_t> shard_rows_;
  int64_t rows_ = 0;
  uint64_t seed_;
  int64_t fixed_epoch_ = -1;
  std::vector<int32_t> fixed_order_;
};

/// Locates rows of the stream. Holds the epoch's shard order, so that a step forward is cheap and
/// allocates nothing.
class RowCursor {
 public:
  explicit RowCursor(const RowOrder& order) : order_(order) {}

  /// Moves to row `position` >= 0 of the stream.
  void move_to(int64_t position);
  /// Call it after a change of the order: the next move looks up everything.
  void reset() { epoch_ = -1; }

  int64_t epoch() const { return epoch_; }
  int64_t index() const { return index_; }  ///< index into shard_order()
  int64_t row() const { return row_; }      ///< index into the shard's row order
  const std::vector<int32_t>& shard_order() const { return shards_; }

 private:
  const RowOrder& order_;
  std::vector<int32_t> shards_;
  int64_t epoch_ = -1;
  int64_t index_ = 0;
  int64_t row_ = 0;
  int64_t shard_begin_ = 0;  ///< position of the shard's first row within the epoch
};

/// For the log, and for `files` and `epoch` of a checkpoint.
struct LoaderState {
  int64_t position = 0;            ///< rows of the stream that all ranks have consumed
  int64_t epoch = 0;               ///< epoch of the next row
  int64_t file_index = 0;          ///< index into `files` of the shard with the next row
  std::vector<std::string> files;  ///< shards in the order of the epoch
};

class PretrainingLoader {
 public:
  /// Reads the metadata of every file. Throws Error when there is no file or one is not a shard.
  PretrainingLoader(std::vector<std::string> files, const LoaderOptions& options);
  PretrainingLoader(const PretrainingLoader&) = delete;
  PretrainingLoader& operator=(const PretrainingLoader&) = delete;
  /// Waits for the thread, at most until it has read its current shard.
  ~PretrainingLoader();

  int64_t rows() const { return order_.rows(); }  ///< per epoch
  /// Tokens of the longest possible row, for sizing: S of the widest shard.
  int64_t max_seq_length() const { return max_seq_length_; }
  /// Largest possible number of masked tokens in a row.
  int64_t max_predictions() const { return max_predictions_; }
  /// True when rows hold several sequences; sequences_a_row() is the largest number.
  bool packed() const { return shapes_.front().packed(); }
  int64_t sequences_a_row() const { return sequences_a_row_; }

  /// The next micro-batch of this rank, valid until the next call. In the steady state a call
  /// allocates nothing, and it does not wait while the thread is ahead. Throws Error for a faulty
  /// shard.
  const PretrainingBatch& next();

  /// Sets the number of consecutive micro-batches of a rank: with the number of accumulation steps,
  /// a rank's part of a step is contiguous. Call seek() afterwards.
  void set_turn(int64_t micro_batches);

  /// Rows of the stream that all ranks have consumed, if every rank has made the same number of
  /// calls and all turns are complete.
  int64_t position() const { return position_; }
  /// Continues as if `position` rows had been consumed. The next call reads at most one shard.
  void seek(int64_t position);
  LoaderState state() const;
  /// Sets the order of shards in epoch `epoch` to that of `files`, to continue the epoch of a
  /// checkpoint from any program. Files are matched by name without the folder, so the dataset may
  /// have moved. Returns false and changes nothing when the names are not those of this loader's
  /// files. Call seek() afterwards.
  bool take_order(int64_t epoch, const std::vector<std::string>& files);
  /// Position in the stream of the first row of the shard at `index` of the epoch's order, or of
  /// the next epoch if `index` is past the last shard.
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
  int64_t calls_ = 0;   ///< number of next() calls since then

  // The prefetch thread uses these while it runs, else the caller does.
  RowCursor cursor_;
  OpenShard shard_;
  std::future<OpenShard> next_shard_;

  // A ring: slots [consumed_, produced_) modulo its size are ready. Slot consumed_ - 1 holds the
  // caller's current batch; the thread does not change it.
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
