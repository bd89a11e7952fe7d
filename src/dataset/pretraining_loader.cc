#include "dataset/pretraining_loader.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/philox.h"
#include "dataset/shard_survey.h"
#include "io/file_status.h"
#include "io/list_files.h"

namespace bertha::dataset {
namespace {

std::vector<std::string> list_shards(const std::string& folder, const char* part) {
  if (!io::exists(folder)) fail("{}: there is no such folder", folder);
  // Keeps the name as the user wrote the folder, because checkpoints record it.
  std::vector<std::string> found = io::list_files(folder, "", ".hdf5");
  std::erase_if(found, [&](const std::string& path) {
    return std::filesystem::path(path).filename().string().find(part) == std::string::npos;
  });
  return found;
}

/// Names of packed shards do not show their use: all are training shards, except those with
/// "_test_".
std::vector<std::string> list_packed_shards(const std::string& folder) {
  std::vector<std::string> found = list_shards(folder, "");
  std::erase_if(found, [](const std::string& path) {
    return std::filesystem::path(path).filename().string().find("_test_") != std::string::npos;
  });
  if (!found.empty() && !read_shard_shape(found.front()).packed()) found.clear();
  return found;
}

[[noreturn]] void fail_without_shard(const std::string& folder, const char* part) {
  const std::string below = folder_with_shards(folder);
  fail("{}: no shard in this folder (names with '{}' that end in .hdf5){}", folder, part,
       below.empty() ? "" : "; there are some in " + below);
}

template <typename T>
void permute(PhiloxStream stream, std::vector<T>& items) {
  std::iota(items.begin(), items.end(), T{0});
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[stream.below(i)]);
}

// Random streams of a seed: stream 0 of an epoch permutes the shards, stream 1 + s the rows of
// shard s.
PhiloxStream stream_of(uint64_t seed, int64_t epoch, int64_t number) {
  return {seed, static_cast<uint64_t>(epoch) << 32 | static_cast<uint64_t>(number)};
}

std::vector<ShardShape> read_shapes(const std::vector<std::string>& files) {
  if (files.empty()) fail("no shard to train on");
  std::vector<ShardShape> shapes;
  shapes.reserve(files.size());
  for (const std::string& file : files) shapes.push_back(read_shard_shape(file));
  return shapes;
}

std::vector<int64_t> rows_of(const std::vector<ShardShape>& shapes) {
  std::vector<int64_t> rows;
  rows.reserve(shapes.size());
  for (const ShardShape& shape : shapes) rows.push_back(shape.rows);
  return rows;
}

}  // namespace

std::vector<std::string> find_shards(const std::string& folder) {
  std::vector<std::string> found = list_shards(folder, "training");
  if (found.empty()) found = list_packed_shards(folder);
  if (found.empty()) fail_without_shard(folder, "training");
  return found;
}

std::vector<std::string> find_test_shards(const std::string& folder) {
  std::vector<std::string> found = list_shards(folder, "_test_");
  if (found.empty()) fail_without_shard(folder, "_test_");
  return found;
}

RowOrder::RowOrder(std::vector<int64_t> shard_rows, uint64_t seed)
    : shard_rows_(std::move(shard_rows)),
      rows_(std::accumulate(shard_rows_.begin(), shard_rows_.end(), int64_t{0})),
      seed_(seed) {
  BERTHA_CHECK(rows_ > 0);
}

void RowOrder::fix_shard_order(int64_t epoch, std::vector<int32_t> order) {
  BERTHA_CHECK(order.size() == shard_rows_.size());
  fixed_epoch_ = epoch;
  fixed_order_ = std::move(order);
}

void RowOrder::shard_order(int64_t epoch, std::vector<int32_t>& order) const {
  if (epoch == fixed_epoch_) {
    order = fixed_order_;
    return;
  }
  order.resize(shard_rows_.size());
  permute(stream_of(seed_, epoch, 0), order);
}

void RowOrder::row_order(int64_t epoch, int32_t shard, std::vector<uint32_t>& order) const {
  order.resize(static_cast<size_t>(shard_rows_[static_cast<size_t>(shard)]));
  permute(stream_of(seed_, epoch, 1 + shard), order);
}

void RowCursor::move_to(int64_t position) {
  const int64_t epoch = position / order_.rows();
  const int64_t in_epoch = position % order_.rows();
  if (epoch != epoch_) order_.shard_order(epoch, shards_);
  if (epoch != epoch_ || in_epoch < shard_begin_) {
    epoch_ = epoch;
    index_ = 0;
    shard_begin_ = 0;
  }
  const auto rows = [&] { return order_.rows_of(shards_[static_cast<size_t>(index_)]); };
  for (; in_epoch - shard_begin_ >= rows(); ++index_) shard_begin_ += rows();
  row_ = in_epoch - shard_begin_;
}

PretrainingLoader::PretrainingLoader(std::vector<std::string> files, const LoaderOptions& options)
    : files_(std::move(files)),
      options_(options),
      shapes_(read_shapes(files_)),
      order_(rows_of(shapes_), options.seed),
      cursor_(order_) {
  BERTHA_CHECK(options_.micro_batch > 0 && options_.prefetch >= 0);
  BERTHA_CHECK(options_.rank >= 0 && options_.rank < options_.ranks);
  for (const ShardShape& shape : shapes_) {
    max_seq_length_ = std::max(max_seq_length_, shape.seq_length);
    // Rows may have more masked tokens than limits.max_predictions, but never more than their shard
    // can hold.
    max_predictions_ = std::max(max_predictions_, shape.max_predictions);
    sequences_a_row_ = std::max(sequences_a_row_, shape.sequences_a_row());
    if (shape.packed() == packed()) continue;
    fail("{} and {}: one is packed, the other is not", files_[0],
         files_[static_cast<size_t>(&shape - shapes_.data())]);
  }
  slots_.resize(static_cast<size_t>(options_.prefetch + 1));
  for (PretrainingBatch& slot : slots_) reserve(slot);
}

PretrainingLoader::~PretrainingLoader() {
  stop();
}

void PretrainingLoader::reserve(PretrainingBatch& batch) const {
  const auto rows = static_cast<size_t>(options_.micro_batch);
  // The sequences of a packed row are limited by the model one by one.
  const auto tokens = rows * static_cast<size_t>(packed() ? max_seq_length_
                                                          : std::min(max_seq_length_,
                                                                     options_.limits.max_position));
  const size_t sequences = rows * static_cast<size_t>(sequences_a_row_);
  batch.ids.reserve(tokens);
  batch.segments.reserve(tokens);
  batch.positions.reserve(tokens);
  batch.seq_start.reserve(sequences + 1);
  batch.next_sentence.reserve(sequences);
  batch.masked_rows.reserve(rows * static_cast<size_t>(max_predictions_));
  batch.masked_labels.reserve(rows * static_cast<size_t>(max_predictions_));
}

const PretrainingBatch& PretrainingLoader::next() {
  if (options_.prefetch == 0) {
    fill(row_of_call(calls_++), slots_[0]);
    position_ += stride();
    return slots_[0];
  }
  if (!thread_.joinable()) start();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return consumed_ < produced_ || failure_; });
  if (consumed_ == produced_) std::rethrow_exception(failure_);
  const PretrainingBatch& batch = slots_[static_cast<size_t>(consumed_) % slots_.size()];
  ++consumed_;
  ++calls_;
  position_ += stride();
  lock.unlock();
  changed_.notify_one();
  return batch;
}

void PretrainingLoader::seek(int64_t position) {
  BERTHA_CHECK(position >= 0);
  stop();
  next_shard_ = {};  // waits, and drops an error of a shard that may not be needed now
  position_ = position;
  sought_ = position;
  calls_ = 0;
}

void PretrainingLoader::set_turn(int64_t micro_batches) {
  BERTHA_CHECK(micro_batches > 0);
  stop();
  turn_ = micro_batches;
}

/// First row of the micro-batch that the call number `call` since seek() returns.
int64_t PretrainingLoader::row_of_call(int64_t call) const {
  const int64_t turns = call / turn_ * options_.ranks + options_.rank;
  return sought_ + (turns * turn_ + call % turn_) * options_.micro_batch;
}

LoaderState PretrainingLoader::state() const {
  RowCursor cursor(order_);
  cursor.move_to(position_);
  LoaderState state{position_, cursor.epoch(), cursor.index(), {}};
  for (const int32_t shard : cursor.shard_order()) {
    state.files.push_back(files_[static_cast<size_t>(shard)]);
  }
  return state;
}

bool PretrainingLoader::take_order(int64_t epoch, const std::vector<std::string>& files) {
  const auto name_of = [](const std::string& path) {
    return std::filesystem::path(path).filename().string();
  };
  std::map<std::string, int32_t> numbers;
  for (size_t i = 0; i < files_.size(); ++i) {
    numbers.emplace(name_of(files_[i]), static_cast<int32_t>(i));
  }
  std::vector<int32_t> order;
  for (const std::string& file : files) {
    const auto found = numbers.extract(name_of(file));
    if (found.empty()) return false;  // unknown, or listed twice
    order.push_back(found.mapped());
  }
  if (order.size() != files_.size()) return false;
  stop();
  next_shard_ = {};
  shard_ = {};
  order_.fix_shard_order(epoch, std::move(order));
  cursor_.reset();
  return true;
}

int64_t PretrainingLoader::position_of(int64_t epoch, int64_t index) const {
  std::vector<int32_t> shards;
  order_.shard_order(epoch, shards);
  int64_t position = epoch * order_.rows();
  for (int64_t i = 0; i < std::min(index, order_.shards()); ++i) {
    position += order_.rows_of(shards[static_cast<size_t>(i)]);
  }
  return position;
}

void PretrainingLoader::start() {
  produced_ = 0;
  consumed_ = 0;
  stopping_ = false;
  failure_ = nullptr;
  thread_ = std::thread(&PretrainingLoader::produce, this);
}

void PretrainingLoader::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

/// The prefetch thread, started by the first call since seek(). It fills free slots until it is
/// stopped or a shard is faulty.
void PretrainingLoader::produce() {
  try {
    for (int64_t call = 0;; ++call) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || produced_ - consumed_ < options_.prefetch; });
      if (stopping_) return;
      PretrainingBatch& slot = slots_[static_cast<size_t>(produced_) % slots_.size()];
      lock.unlock();
      fill(row_of_call(call), slot);
      lock.lock();
      ++produced_;
      lock.unlock();
      changed_.notify_one();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    changed_.notify_one();
  }
}

/// Reads rows [position, position + micro_batch) of the stream.
void PretrainingLoader::fill(int64_t position, PretrainingBatch& batch) {
  batch.clear();
  for (int64_t row = 0; row < options_.micro_batch; ++row) {
    cursor_.move_to(position + row);
    open_shard(cursor_.epoch(), cursor_.index());
    shard_.rows.append_row(shard_.order[static_cast<size_t>(cursor_.row())], batch);
  }
}

/// Opens the shard at `index` of the epoch's order, and starts to read the one after it.
void PretrainingLoader::open_shard(int64_t epoch, int64_t index) {
  if (shard_.is(epoch, index)) return;
  if (order_.shards() == 1 && shard_.epoch >= 0) {
    order_.row_order(epoch, 0, shard_.order);
    shard_.epoch = epoch;
    return;
  }
  OpenShard ready;
  if (next_shard_.valid()) ready = next_shard_.get();
  shard_ = {};  // so that memory never holds three shards
  shard_ = ready.is(epoch, index) ? std::move(ready) : load(epoch, index);
  if (options_.prefetch == 0 || order_.shards() == 1) return;
  const bool last = index + 1 == order_.shards();
  // Where no thread can be started, the shard is read when it is needed.
  next_shard_ = std::async(std::launch::async | std::launch::deferred, &PretrainingLoader::load,
                           this, epoch + (last ? 1 : 0), last ? 0 : index + 1);
}

PretrainingLoader::OpenShard PretrainingLoader::load(int64_t epoch, int64_t index) const {
  std::vector<int32_t> shards;
  order_.shard_order(epoch, shards);
  const int32_t shard = shards[static_cast<size_t>(index)];
  OpenShard open{read_shard(files_[static_cast<size_t>(shard)], options_.limits), {}, epoch, index};
  order_.row_order(epoch, shard, open.order);
  if (open.order.size() != static_cast<size_t>(open.rows.rows())) {
    fail("{}: has {} rows, had {} when training began", files_[static_cast<size_t>(shard)],
         open.rows.rows(), open.order.size());
  }
  return open;
}

}  // namespace bertha::dataset
