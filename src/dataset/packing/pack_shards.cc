#include "dataset/packing/pack_shards.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <filesystem>
#include <numeric>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/parallel_tasks.h"
#include "core/philox.h"
#include "dataset/hdf5_shard.h"
#include "dataset/spill.h"
#include "io/atomic_folder.h"
#include "io/list_files.h"

// A row takes sequences from any file, and memory need not hold all sequences. So there are three
// steps. Lengths alone decide the row of each sequence. Then every shard is read once, and its
// sequences are appended to the spill file of a run, which is a range of output files. Then each
// run is read back, sorted and written. Memory holds 15 bytes per sequence for the plan, one run,
// and one shard per thread.

namespace bertha::dataset {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostRuns = 200;               // limits the number of open files
constexpr size_t kFlushBytes = size_t{1} << 20;  // bytes that a thread collects for a run
constexpr int64_t kTokenBytes = 3;  // bytes of memory per token of a sequence, including its labels
constexpr int32_t kNarrowIds = 1 << 15;

std::string part_name(int64_t file) {
  return fmt::format("mixed_strategies_part_{}.hdf5", file);
}

void shuffle(PhiloxStream& random, std::span<uint32_t> items) {
  for (size_t left = items.size(); left > 1; --left) {
    std::swap(items[left - 1], items[random.below(left)]);
  }
}

/// The row of every sequence.
std::vector<uint32_t> assign_rows(const SequenceLengths& lengths, const Packing& packing,
                                  uint64_t seed) {
  PhiloxStream random(seed, 0);
  const std::vector<int64_t> histogram = lengths.histogram();
  std::vector<size_t> next(histogram.size() + 1, 0);  // index into `sequences`, by length
  for (size_t l = 0; l < histogram.size(); ++l) {
    next[l + 1] = next[l] + static_cast<size_t>(histogram[l]);
  }
  std::vector<uint32_t> sequences(lengths.lengths().size());
  {
    std::vector<size_t> at = next;
    for (size_t i = 0; i < sequences.size(); ++i) {
      sequences[at[lengths.lengths()[i]]++] = static_cast<uint32_t>(i);
    }
  }
  for (size_t l = 0; l < histogram.size(); ++l) {
    shuffle(random, std::span(sequences).subspan(next[l], next[l + 1] - next[l]));
  }
  std::vector<uint32_t> kind_of_row;
  kind_of_row.reserve(static_cast<size_t>(packing.rows));
  for (size_t kind = 0; kind < packing.packs.size(); ++kind) {
    kind_of_row.insert(kind_of_row.end(), static_cast<size_t>(packing.packs[kind].rows),
                       static_cast<uint32_t>(kind));
  }
  shuffle(random, kind_of_row);
  std::vector<uint32_t> row_of(sequences.size());
  for (size_t row = 0; row < kind_of_row.size(); ++row) {
    for (const int32_t length : packing.packs[kind_of_row[row]].lengths) {
      row_of[sequences[next[static_cast<size_t>(length)]++]] = static_cast<uint32_t>(row);
    }
  }
  return row_of;
}

/// The header of a sequence in a spill file. Its tokens follow as id · 2 + segment in 2 or 4 bytes,
/// then its masked positions in 2 bytes and their labels in 4 bytes.
struct Record {
  uint32_t row;
  uint32_t sequence;
  uint16_t length;
  uint16_t masked;
  uint8_t token_bytes;
  uint8_t next_sentence;
  uint16_t unused;

  size_t size_bytes() const {
    return sizeof(Record) + size_t{length} * token_bytes + size_t{masked} * 6;
  }
};
static_assert(sizeof(Record) == 16);

template <typename T>
void append_value(std::vector<std::byte>& bytes, T value) {
  const auto* begin = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof(T));
}

template <typename T>
T value_at(const std::byte* bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return value;
}

/// Appends sequence `at` of a shard; its number over all shards is `sequence`.
void append_record(const RaggedShard& shard, size_t at, uint32_t sequence, uint32_t row,
                   std::vector<std::byte>& bytes) {
  const auto begin = static_cast<size_t>(shard.sequence_start[at]);
  const auto end = static_cast<size_t>(shard.sequence_start[at + 1]);
  const auto first_masked = static_cast<size_t>(shard.masked_start[at]);
  const auto last_masked = static_cast<size_t>(shard.masked_start[at + 1]);
  const auto ids = std::span(shard.ids).subspan(begin, end - begin);
  const bool narrow = std::ranges::all_of(ids, [](int32_t id) { return id < kNarrowIds; });
  append_value(bytes, Record{row, sequence, static_cast<uint16_t>(ids.size()),
                             static_cast<uint16_t>(last_masked - first_masked),
                             static_cast<uint8_t>(narrow ? 2 : 4), shard.next_sentence[at], 0});
  for (size_t i = begin; i < end; ++i) {
    const uint32_t token = static_cast<uint32_t>(shard.ids[i]) * 2 + shard.segments[i];
    if (narrow) {
      append_value(bytes, static_cast<uint16_t>(token));
    } else {
      append_value(bytes, token);
    }
  }
  for (size_t i = first_masked; i < last_masked; ++i) {
    append_value(bytes, static_cast<uint16_t>(shard.masked_positions[i]));
  }
  for (size_t i = first_masked; i < last_masked; ++i) append_value(bytes, shard.masked_labels[i]);
}

/// The sequences of a run, read back and ordered by row.
class Run {
 public:
  Run(std::vector<std::byte> bytes, int64_t first_row, int64_t rows)
      : bytes_(std::move(bytes)), first_row_(first_row) {
    for (size_t at = 0; at < bytes_.size(); at += record(at).size_bytes()) places_.push_back(at);
    std::ranges::sort(places_, [this](size_t a, size_t b) {
      const Record left = record(a);
      const Record right = record(b);
      return std::tie(left.row, left.length, left.sequence) <
             std::tie(right.row, right.length, right.sequence);
    });
    row_start_.assign(static_cast<size_t>(rows) + 1, 0);
    for (const size_t place : places_) ++row_start_[index(record(place).row) + 1];
    std::partial_sum(row_start_.begin(), row_start_.end(), row_start_.begin());
  }

  void fill(int64_t row, const PackedShardRow& out) const {
    size_t offset = 0;
    size_t masked = 0;
    const size_t first = row_start_[index(row)];
    for (size_t i = first; i < row_start_[index(row) + 1]; ++i) {
      const Record sequence = record(places_[i]);
      const size_t slot = i - first;
      out.next_sentence_positions[slot] = static_cast<int32_t>(offset);
      out.next_sentence_labels[slot] = static_cast<int8_t>(sequence.next_sentence);
      out.next_sentence_weights[slot] = 1;
      const std::byte* values = bytes_.data() + places_[i] + sizeof(Record);
      fill_tokens(sequence, values, slot, offset, out);
      values += size_t{sequence.length} * sequence.token_bytes;
      // One place stays unused: a zero ends the masked entries.
      if (masked + sequence.masked >= out.masked_lm_ids.size()) {
        fail(
            "packing: a row would have {} masked tokens or more, the files can hold {}; "
            "raise --max-predictions-per-sequence",
            masked + sequence.masked, out.masked_lm_ids.size() - 1);
      }
      for (size_t m = 0; m < sequence.masked; ++m, ++masked) {
        out.masked_lm_positions[masked] =
            static_cast<int32_t>(offset + value_at<uint16_t>(values, m));
        out.masked_lm_ids[masked] = value_at<int32_t>(values + size_t{sequence.masked} * 2, m);
      }
      offset += sequence.length;
    }
  }

 private:
  static void fill_tokens(const Record& sequence, const std::byte* values, size_t slot,
                          size_t offset, const PackedShardRow& out) {
    for (size_t i = 0; i < sequence.length; ++i) {
      const uint32_t token =
          sequence.token_bytes == 2 ? value_at<uint16_t>(values, i) : value_at<uint32_t>(values, i);
      out.input_ids[offset + i] = static_cast<int32_t>(token / 2);
      out.segment_ids[offset + i] = static_cast<int8_t>(token % 2);
      out.input_mask[offset + i] = static_cast<int32_t>(slot + 1);
      out.positions[offset + i] = static_cast<int32_t>(i);
    }
  }

  Record record(size_t place) const { return value_at<Record>(bytes_.data() + place, 0); }
  size_t index(int64_t row) const { return static_cast<size_t>(row - first_row_); }

  std::vector<std::byte> bytes_;
  int64_t first_row_;
  std::vector<size_t> places_;     ///< of records, by row, length and number
  std::vector<size_t> row_start_;  ///< index into places_
};

/// One packing job.
class Packer {
 public:
  Packer(const std::vector<std::string>& files, const SequenceLengths& lengths,
         const Packing& packing, const PackOptions& options, const std::string& folder,
         const ReportProgress& progress)
      : files_(files),
        lengths_(lengths),
        packing_(packing),
        options_(options),
        folder_(folder),
        row_of_(assign_rows(lengths, packing, options.seed)) {
    const int64_t file_bytes = kTokenBytes * packing.tokens / packing.rows * kPackedRowsPerFile + 1;
    const int64_t output_files = files_of(packing.rows);
    files_a_run_ = std::max({int64_t{1}, options.memory_bytes / file_bytes,
                             (output_files + kMostRuns - 1) / kMostRuns});
    files_a_run_ = std::min(files_a_run_, (output_files + options.parts - 1) / options.parts);
    runs_ = (output_files + files_a_run_ - 1) / files_a_run_;
    int64_t own_files = 0;
    for (int64_t run = options.part; run < runs_; run += options.parts) {
      spills_.emplace_back(folder);
      own_files += std::min(files_a_run_, output_files - run * files_a_run_);
    }
    done_.emplace(std::ssize(files) + own_files, progress);
  }

  void scatter() {
    parallel_tasks(std::ssize(files_), options_.threads, [this](int64_t file) {
      scatter_file(file);
      done_->add(1);
    });
  }

  std::vector<std::string> gather() {
    std::vector<std::string> written;
    const int64_t rows_a_run = files_a_run_ * kPackedRowsPerFile;
    for (int64_t run = options_.part; run < runs_; run += options_.parts) {
      const int64_t first = run * rows_a_run;
      const int64_t rows = std::min(rows_a_run, packing_.rows - first);
      const Run own(spills_.front().read_all(), first, rows);
      spills_.pop_front();  // frees its disk space
      for (int64_t begin = first; begin < first + rows; begin += kPackedRowsPerFile) {
        const int64_t count = std::min(kPackedRowsPerFile, first + rows - begin);
        written.push_back((fs::path(folder_) / part_name(begin / kPackedRowsPerFile)).string());
        write_packed_shard(
            written.back(),
            {count, packing_.row_length, options_.max_predictions + packing_.sequences_per_row,
             packing_.sequences_per_row},
            [&](int64_t row, const PackedShardRow& out) { own.fill(begin + row, out); },
            options_.threads);
        done_->add(1);
      }
    }
    return written;
  }

 private:
  static int64_t files_of(int64_t rows) {
    return (rows + kPackedRowsPerFile - 1) / kPackedRowsPerFile;
  }

  void scatter_file(int64_t file) {
    // Keeps the positions of all masked tokens: a row ends where the file states, not at P.
    const std::string& path = files_[static_cast<size_t>(file)];
    const ShardShape shape = read_shard_shape(path);
    const RaggedShard shard = read_shard(path, {.vocab_size = int64_t{1} << 30,
                                                .max_position = packing_.row_length,
                                                .max_predictions = shape.max_predictions});
    const int64_t first = lengths_.file_start()[static_cast<size_t>(file)];
    if (shard.rows() != lengths_.file_start()[static_cast<size_t>(file) + 1] - first) {
      fail("{}: changed while it was packed", path);
    }
    std::vector<std::vector<std::byte>> collected(spills_.size());
    for (int64_t i = 0; i < shard.rows(); ++i) {
      const auto at = static_cast<size_t>(i);
      const auto sequence = static_cast<size_t>(first + i);
      if (shard.sequence_start[at + 1] - shard.sequence_start[at] != lengths_.lengths()[sequence]) {
        fail("{}: row {}: changed while it was packed", path, i);
      }
      const uint32_t row = row_of_[sequence];
      const int64_t run = row / (files_a_run_ * kPackedRowsPerFile);
      if (run % options_.parts != options_.part) continue;
      const auto own = static_cast<size_t>(run / options_.parts);
      append_record(shard, at, static_cast<uint32_t>(sequence), row, collected[own]);
      if (collected[own].size() < kFlushBytes) continue;
      spills_[own].append(collected[own]);
      collected[own].clear();
    }
    for (size_t own = 0; own < collected.size(); ++own) spills_[own].append(collected[own]);
  }

  const std::vector<std::string>& files_;
  const SequenceLengths& lengths_;
  const Packing& packing_;
  const PackOptions& options_;
  std::string folder_;
  std::vector<uint32_t> row_of_;
  int64_t files_a_run_ = 1;
  int64_t runs_ = 0;          ///< runs of output files; this part writes every `parts`-th of them
  std::deque<Spill> spills_;  ///< one per run of this part
  std::optional<ProgressCounter> done_;
};

}  // namespace

SequenceLengths::SequenceLengths(const std::vector<std::string>& files, int64_t row_length,
                                 int64_t threads)
    : row_length_(row_length), file_start_(1, 0) {
  BERTHA_CHECK(row_length > 0 && row_length <= kMostPackedLength);
  std::vector<std::vector<int32_t>> of_file(files.size());
  parallel_tasks(std::ssize(files), threads, [&](int64_t i) {
    const std::string& path = files[static_cast<size_t>(i)];
    if (read_shard_shape(path).packed()) fail("{}: is packed already", path);
    of_file[static_cast<size_t>(i)] = read_sequence_lengths(path);
    const auto longest = std::ranges::max_element(of_file[static_cast<size_t>(i)]);
    if (*longest > row_length) {
      fail("{}: row {} has {} tokens, more than --max-sequence-length {}", path,
           longest - of_file[static_cast<size_t>(i)].begin(), *longest, row_length);
    }
  });
  for (const std::vector<int32_t>& found : of_file) {
    for (const int32_t length : found) lengths_.push_back(static_cast<uint16_t>(length));
    file_start_.push_back(static_cast<int64_t>(lengths_.size()));
  }
  if (lengths_.empty()) fail("no sequence to pack");
  if (lengths_.size() > UINT32_MAX) fail("{} sequences: more than can be packed", lengths_.size());
}

std::vector<int64_t> SequenceLengths::histogram() const {
  std::vector<int64_t> counts(static_cast<size_t>(row_length_) + 1, 0);
  for (const uint16_t length : lengths_) ++counts[length];
  return counts;
}

std::vector<std::string> write_packed(const std::vector<std::string>& files,
                                      const SequenceLengths& lengths, const Packing& packing,
                                      const PackOptions& options, const std::string& folder,
                                      const ReportProgress& progress) {
  BERTHA_CHECK(packing.sequences == std::ssize(lengths.lengths()));
  BERTHA_CHECK(options.max_predictions > 0 && options.memory_bytes > 0);
  BERTHA_CHECK(options.part >= 0 && options.part < options.parts);
  io::make_folder(folder);
  Packer packer(files, lengths, packing, options, folder, progress);
  packer.scatter();
  return packer.gather();
}

std::vector<std::string> packed_files(const std::string& folder) {
  return io::list_files(folder, "mixed_strategies_part_", ".hdf5");
}

}  // namespace bertha::dataset
