#include "dataset/packing/packing.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/file_status.h"
#include "io/shallow_json.h"

namespace bertha::dataset {
namespace {

// Constants of the reference.
constexpr int64_t kRounds = 20;
constexpr int64_t kFewLeft = 100;     // the rounds end when fewer sequences than this are left
constexpr int64_t kLightLengths = 8;  // short sequences that are left over cost little
constexpr size_t kTopStrategies = 8;

using Histogram = std::vector<int64_t>;  // [S+1], by length
using Packs = std::vector<Pack>;

int64_t total(const Histogram& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

int64_t rows_of(const Packs& packs) {
  int64_t rows = 0;
  for (const Pack& pack : packs) rows += pack.rows;
  return rows;
}

/// The reference's rounding: small parts of a mixture may be rounded up, the others lose less than
/// one row each.
int64_t rounded(double rows) {
  return static_cast<int64_t>(rows < 2 ? std::nearbyint(rows) : std::floor(rows));
}

/// Rounds of least squares. `left` are the sequences still to pack. A slot without a sequence left
/// for it is a hole.
class Rounds {
 public:
  Rounds(std::span<const int64_t> histogram, int64_t most_slots)
      : left_(histogram.begin(), histogram.end()),
        holes_(histogram.size(), 0),
        weights_(histogram.size(), 1.0),
        most_slots_(most_slots) {
    const double light =
        static_cast<double>(kLightLengths) / static_cast<double>(2 * (histogram.size() - 1));
    for (size_t l = 1; l < std::min<size_t>(weights_.size(), kLightLengths + 1); ++l) {
      weights_[l] = light;
    }
  }

  void run() {
    for (int64_t round = 0; round < kRounds && total(left_) > 0; ++round) {
      if (!add_round() || total(left_) < kFewLeft) return;
    }
  }

  const Histogram& left() const { return left_; }
  /// The rows of every strategy without holes, and, separately, the rows with holes, whose holes
  /// are removed.
  Packs whole_rows() const { return whole_; }
  Packs rows_with_holes() const { return with_holes_; }

  void place_holes() {
    for (const auto& [slots, rows] : rows_) split(slots, rows);
  }

 private:
  /// Returns false when rounding leaves no rows.
  bool add_round() {
    const std::vector<double> wanted(left_.begin(), left_.end());
    int64_t added = 0;
    for (const WeightedStrategy& part : solve_mixture(wanted, weights_, most_slots_)) {
      const int64_t rows = rounded(part.rows);
      if (rows == 0) continue;
      added += rows;
      rows_[part.slots] += rows;
      for (const int32_t slot : part.slots) left_[static_cast<size_t>(slot)] -= rows;
    }
    for (size_t l = 0; l < left_.size(); ++l) {
      holes_[l] += std::max<int64_t>(0, -left_[l]);
      left_[l] = std::max<int64_t>(0, left_[l]);
    }
    return added > 0;
  }

  /// Removes as many slots from the strategy's rows as there are holes still to place.
  void split(const Strategy& slots, int64_t rows) {
    Packs pieces = {{slots, rows}};
    for (const int32_t slot : slots) {
      Packs next;
      for (Pack& piece : pieces) {
        int64_t& holes = holes_[static_cast<size_t>(slot)];
        const int64_t taken = std::min(holes, piece.rows);
        holes -= taken;
        if (taken < piece.rows) next.push_back({piece.lengths, piece.rows - taken});
        if (taken == 0) continue;
        piece.rows = taken;
        piece.lengths.erase(std::ranges::find(piece.lengths, slot));
        next.push_back(std::move(piece));
      }
      pieces = std::move(next);
    }
    for (Pack& piece : pieces) {
      if (piece.lengths.empty()) continue;
      (piece.lengths.size() == slots.size() ? whole_ : with_holes_).push_back(std::move(piece));
    }
  }

  Histogram left_;
  Histogram holes_;
  std::vector<double> weights_;
  int64_t most_slots_;
  std::map<Strategy, int64_t> rows_;
  Packs whole_;
  Packs with_holes_;
};

/// Best fit, longest first: a sequence joins the row with the least free space that can hold it.
Packs best_fit(const Histogram& histogram, int64_t most_sequences) {
  const size_t row_length = histogram.size() - 1;
  std::vector<std::vector<std::vector<int32_t>>> open(row_length);  // rows by free space
  std::map<std::vector<int32_t>, int64_t> closed;
  const auto put = [&](std::vector<int32_t> row, size_t room) {
    if (room == 0 || std::ssize(row) == most_sequences) {
      std::ranges::reverse(row);
      ++closed[row];
    } else {
      open[room].push_back(std::move(row));
    }
  };
  for (size_t length = row_length; length > 0; --length) {
    for (int64_t i = 0; i < histogram[length]; ++i) {
      size_t room = length;
      while (room < row_length && open[room].empty()) ++room;
      std::vector<int32_t> row;
      if (room < row_length) {
        row = std::move(open[room].back());
        open[room].pop_back();
      }
      row.push_back(static_cast<int32_t>(length));
      put(std::move(row), room - length);
    }
  }
  for (auto& rows : open) {
    for (std::vector<int32_t>& row : rows) {
      std::ranges::reverse(row);
      ++closed[row];
    }
  }
  Packs packs;
  for (const auto& [lengths, rows] : closed) packs.push_back({lengths, rows});
  return packs;
}

void append(Packs& packs, const Packs& more) {
  packs.insert(packs.end(), more.begin(), more.end());
}

/// Merges equal packs and sorts them by their lengths.
Packs merged(const Packs& packs) {
  std::map<std::vector<int32_t>, int64_t> rows;
  for (const Pack& pack : packs) rows[pack.lengths] += pack.rows;
  Packs result;
  for (const auto& [lengths, count] : rows) result.push_back({lengths, count});
  return result;
}

/// The reference's name for a kind of row: its lengths, plus one hole for the free space if the
/// number of slots allows it. Empty when it does not.
Strategy strategy_of(const Pack& pack, const Packing& packing) {
  const int64_t used = std::accumulate(pack.lengths.begin(), pack.lengths.end(), int64_t{0});
  Strategy slots = pack.lengths;
  if (used == packing.row_length) return slots;
  if (std::ssize(slots) == packing.sequences_per_row) return {};
  slots.push_back(static_cast<int32_t>(packing.row_length - used));
  std::ranges::sort(slots);
  return slots;
}

/// The number of rows of every strategy, largest first.
std::vector<std::pair<int64_t, int64_t>> rows_by_strategy(const Packing& packing) {
  std::map<Strategy, int64_t> rows;
  for (const Pack& pack : packing.packs) {
    if (Strategy slots = strategy_of(pack, packing); !slots.empty()) rows[slots] += pack.rows;
  }
  std::vector<std::pair<int64_t, int64_t>> ranked;
  ranked.reserve(rows.size());
  for (const auto& [slots, count] : rows) {
    ranked.emplace_back(count,
                        strategy_index(slots, packing.row_length, packing.sequences_per_row));
  }
  std::ranges::sort(ranked, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  return ranked;
}

}  // namespace

Packing pack_histogram(std::span<const int64_t> histogram, int64_t sequences_per_row) {
  BERTHA_CHECK(histogram.size() > 1 && std::ssize(histogram) - 1 <= kMostPackedLength);
  BERTHA_CHECK(sequences_per_row > 0 && sequences_per_row <= kMostSequencesPerRow);
  Rounds rounds(histogram, sequences_per_row);
  rounds.run();
  rounds.place_holes();

  Packs kept = rounds.rows_with_holes();
  append(kept, best_fit(rounds.left(), sequences_per_row));
  Histogram loose = rounds.left();
  for (const Pack& pack : rounds.rows_with_holes()) {
    for (const int32_t length : pack.lengths) loose[static_cast<size_t>(length)] += pack.rows;
  }
  const Packs refitted = best_fit(loose, sequences_per_row);

  Packing packing{std::ssize(histogram) - 1, sequences_per_row, rounds.whole_rows(), 0, 0, 0};
  append(packing.packs, rows_of(refitted) < rows_of(kept) ? refitted : kept);
  packing.packs = merged(packing.packs);
  packing.rows = rows_of(packing.packs);
  for (size_t l = 1; l < histogram.size(); ++l) {
    packing.sequences += histogram[l];
    packing.tokens += static_cast<int64_t>(l) * histogram[l];
  }
  return packing;
}

int64_t strategy_index(const Strategy& strategy, int64_t row_length, int64_t sequences_per_row) {
  // parts[j][n]: ways to split n into exactly j parts of 1 or more.
  const auto length = static_cast<size_t>(row_length);
  const auto most = static_cast<size_t>(sequences_per_row);
  std::vector<std::vector<int64_t>> parts(most + 1, std::vector<int64_t>(length + 1, 0));
  parts[0][0] = 1;
  for (size_t j = 1; j <= most; ++j) {
    for (size_t n = j; n <= length; ++n) parts[j][n] = parts[j - 1][n - 1] + parts[j][n - j];
  }
  /// The number of ways to split n into at most `slots` parts of `least` or more.
  const auto ways = [&parts](int64_t n, int64_t least, size_t slots) {
    int64_t sum = 0;
    for (size_t j = 1; j <= slots; ++j) {
      const int64_t rest = n - static_cast<int64_t>(j) * (least - 1);
      if (rest > 0) sum += parts[j][static_cast<size_t>(rest)];
    }
    return sum;
  };
  int64_t index = 0;
  int64_t left = row_length;
  int64_t least = 1;
  size_t slots = most;
  for (const int32_t slot : strategy) {
    --slots;
    for (int64_t smaller = least; smaller < slot; ++smaller) {
      index += ways(left - smaller, smaller, slots);
    }
    left -= slot;
    least = slot;
  }
  return index;
}

std::string packing_metadata(const Packing& packing) {
  const auto ranked = rows_by_strategy(packing);
  std::vector<int64_t> top;
  for (size_t i = 0; i < std::min(kTopStrategies, ranked.size()); ++i) {
    top.push_back(ranked[i].second);
  }
  const auto padding = [&packing](int64_t rows) {
    return rows * packing.row_length - packing.tokens;
  };
  const double rows = static_cast<double>(packing.rows);
  nlohmann::json json = {
      {"number_of_sequences_dropped", 0},
      {"number_of_strategies_utilized", packing.packs.size()},
      {"new_number_of_samples", packing.rows},
      {"original_number_of_samples", packing.sequences},
      {"compression_ratio", 1 - rows / static_cast<double>(packing.sequences)},
      {"expected_speed_up", packing.sequences_a_row()},
      {"theoretical_speed_up", packing.most_sequences_a_row()},
      {"avg_seq_per_sample", packing.sequences_a_row()},
      {"padding_tokens_packed_dataset", static_cast<double>(padding(packing.rows))},
      {"padding_tokens_original_dataset", padding(packing.sequences)},
      {"packing_efficiency", packing.efficiency()},
      {"top_8_strategies", top}};
  return json.dump(2);
}

std::string packing_metadata_path(const std::string& folder) {
  std::filesystem::path path = std::filesystem::path(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path.empty() || path == "." || path == "..") path = std::filesystem::absolute(path);
  path = path.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.string() + "_metadata.json";
}

std::optional<double> read_sequences_a_row(const std::string& folder) {
  const std::string path = packing_metadata_path(folder);
  if (!io::exists(path)) return std::nullopt;
  const io::MappedFile file(path);
  const auto json = io::parse_json(file.text());
  const auto found = json.is_object() ? json.find("avg_seq_per_sample") : json.end();
  if (json.is_discarded() || found == json.end() || !found->is_number()) {
    fail("{}: expected a JSON object with a number avg_seq_per_sample", path);
  }
  const auto value = found->get<double>();
  if (!(value >= 1 && value <= static_cast<double>(kMostPackedLength))) {
    fail("{}: avg_seq_per_sample is {}; a row holds 1 sequence or more", path, value);
  }
  return value;
}

}  // namespace bertha::dataset
