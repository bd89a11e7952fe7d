#include "corpus/sharding.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/ordered_pipeline.h"
#include "corpus/sentence_splitter.h"
#include "io/atomic_file.h"
#include "io/text_file.h"

namespace bertha::corpus {
namespace {

constexpr size_t kHistory = 4;
/// "Next sentences" are drawn from other articles of the same shard.
constexpr int64_t kArticlesPerShard = 4;
constexpr size_t kBlockBytes = size_t{1} << 20;

/// Articles by number of sentences; the last one added is removed first.
class Bins {
 public:
  explicit Bins(std::span<const int64_t> sentences) {
    const int64_t longest = *std::ranges::max_element(sentences);
    bins_.resize(static_cast<size_t>(longest) + 1);
    for (size_t i = 0; i < sentences.size(); ++i) {
      bins_[static_cast<size_t>(sentences[i])].push_back(static_cast<int64_t>(i));
    }
    below_.resize(bins_.size());
    for (size_t i = 1; i < below_.size(); ++i) below_[i] = i - 1;
  }

  int64_t longest() { return find(static_cast<int64_t>(bins_.size()) - 1); }
  /// The largest length <= `length` that still has an article, or 0. Bins only become emptier, so
  /// paths are compressed permanently (union-find).
  int64_t find(int64_t length) {
    auto at = static_cast<size_t>(std::max<int64_t>(length, 0));
    size_t found = at;
    while (found > 0 && bins_[found].empty()) found = below_[found];
    while (at > found) at = std::exchange(below_[at], found);
    return static_cast<int64_t>(found);
  }
  int64_t take(int64_t length) {
    std::vector<int64_t>& bin = bins_[static_cast<size_t>(length)];
    const int64_t article = bin.back();
    bin.pop_back();
    return article;
  }

 private:
  std::vector<std::vector<int64_t>> bins_;
  std::vector<size_t> below_;  ///< where to continue when a bin is empty
};

/// The shards of one kind (training or test) while they fill.
struct Kind {
  std::vector<std::vector<int64_t>> shards;
  std::vector<int64_t> counts;
  int64_t cap = 0;

  Kind(int64_t number, int64_t sentences)
      : shards(static_cast<size_t>(number)), counts(static_cast<size_t>(number)) {
    if (number > 0) cap = sentences / number;
  }
  /// Twice the value of Python's statistics.median().
  int64_t twice_median() const {
    std::vector<int64_t> sorted = counts;
    std::ranges::sort(sorted);
    const size_t middle = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? 2 * sorted[middle] : sorted[middle - 1] + sorted[middle];
  }
};

void take_longest(Kind& kind, Bins& bins) {
  for (size_t i = 0; i < kind.shards.size(); ++i) {
    const int64_t length = bins.longest();
    kind.shards[i].push_back(bins.take(length));
    kind.counts[i] += length;
    kind.cap = std::max(kind.cap, length);
  }
}

/// Returns the number of articles placed.
int64_t fill_once(Kind& kind, Bins& bins) {
  if (kind.shards.empty()) return 0;
  const int64_t twice_median = kind.twice_median();
  int64_t placed = 0;
  for (size_t i = 0; i < kind.shards.size(); ++i) {
    if (2 * kind.counts[i] > twice_median) continue;
    const int64_t length = bins.find(std::min(kind.cap - kind.counts[i], bins.longest()));
    if (length == 0) continue;
    kind.shards[i].push_back(bins.take(length));
    kind.counts[i] += length;
    ++placed;
  }
  return placed;
}

/// The sentences of an article in the format of a shard: one per line, then a blank line.
std::string shard_text(std::string_view line) {
  std::string text;
  for (const std::string_view sentence : split_sentences(line)) {
    text.append(sentence).push_back('\n');
  }
  if (!text.empty()) text.push_back('\n');
  return text;
}

/// The location of an article's line in the inputs.
struct Place {
  int32_t file = 0;
  int64_t offset = 0;
  int64_t bytes = 0;
};

struct Block {
  int32_t file = 0;
  int64_t offset = 0;
  std::string_view text;
};

struct Counted {
  int64_t bytes = 0;  ///< bytes read
  std::vector<Place> places;
  std::vector<int64_t> sentences;
};

/// Reads whole lines, one block at a time, through all files.
class BlockReader {
 public:
  explicit BlockReader(std::span<const io::TextFile> files) : files_(files) {}

  std::optional<Block> next() {
    while (file_ < files_.size() && offset_ == files_[file_].text().size()) {
      ++file_;
      offset_ = 0;
    }
    if (file_ == files_.size()) return std::nullopt;
    const std::string_view rest = files_[file_].text().substr(offset_);
    const size_t end = rest.find('\n', std::min(kBlockBytes, rest.size()) - 1);
    const std::string_view text = rest.substr(0, std::min(end, rest.size() - 1) + 1);
    const Block block{static_cast<int32_t>(file_), static_cast<int64_t>(offset_), text};
    offset_ += text.size();
    return block;
  }

 private:
  std::span<const io::TextFile> files_;
  size_t file_ = 0;
  size_t offset_ = 0;
};

Counted count_sentences(const Block& block) {
  Counted counted;
  counted.bytes = std::ssize(block.text);
  for (size_t begin = 0; begin < block.text.size();) {
    const size_t end = std::min(block.text.find('\n', begin), block.text.size());
    const auto count =
        static_cast<int64_t>(split_sentences(block.text.substr(begin, end - begin)).size());
    if (count > 0) {
      counted.places.push_back({block.file, block.offset + static_cast<int64_t>(begin),
                                static_cast<int64_t>(end - begin)});
      counted.sentences.push_back(count);
    }
    begin = end + 1;
  }
  return counted;
}

Counted read_articles(std::span<const io::TextFile> files, int64_t threads, ProgressCounter& done) {
  BlockReader reader(files);
  OrderedPipeline<Block, Counted> workers(
      threads, [&] { return reader.next(); },
      [files](Block&& block) {
        files[static_cast<size_t>(block.file)].require_utf8(block.text);
        return count_sentences(block);
      });
  Counted all;
  while (const std::optional<Counted> part = workers.next()) {
    done.add(part->bytes);
    all.places.insert(all.places.end(), part->places.begin(), part->places.end());
    all.sentences.insert(all.sentences.end(), part->sentences.begin(), part->sentences.end());
  }
  return all;
}

struct ShardJob {
  std::string path;
  const std::vector<int64_t>* articles = nullptr;
};

struct WrittenShard {
  std::string path;
  int64_t bytes_read = 0;
};

WrittenShard write_shard(const ShardJob& job, std::span<const io::TextFile> files,
                         const std::vector<Place>& places) {
  io::AtomicFile out(job.path);
  int64_t bytes_read = 0;
  for (const int64_t article : *job.articles) {
    const Place& place = places[static_cast<size_t>(article)];
    const std::string_view text = files[static_cast<size_t>(place.file)].text().substr(
        static_cast<size_t>(place.offset), static_cast<size_t>(place.bytes));
    out.write(shard_text(text));
    bytes_read += place.bytes;
  }
  out.commit();
  return {job.path, bytes_read};
}

std::vector<ShardJob> name_shards(const ShardPlan& plan, const ShardOptions& options) {
  std::vector<ShardJob> jobs;
  const auto add = [&](const std::vector<std::vector<int64_t>>& shards, const char* kind) {
    for (size_t i = 0; i < shards.size(); ++i) {
      jobs.push_back({fmt::format("{}/{}_{}_{}.txt", options.output_dir, options.dataset, kind, i),
                      &shards[i]});
    }
  };
  add(plan.training, "training");
  add(plan.test, "test");
  return jobs;
}

/// Passes the texts of all articles of the sources to `take`, in order. Returns the damage, if any.
template <typename Take>
std::string read_sources(const OpenSources& open, int64_t threads, const Take& take) {
  const std::vector<std::unique_ptr<LineSource>> sources = open();
  std::string damage;
  for (const std::unique_ptr<LineSource>& source : sources) {
    OrderedPipeline<LineSource::Job, std::vector<std::string>> workers(
        threads, [&source] { return source->next(); },
        [](LineSource::Job&& job) {
          std::vector<std::string> texts = job();
          for (std::string& text : texts) text = shard_text(text);
          std::erase(texts, "");
          return texts;
        });
    while (const std::optional<std::vector<std::string>> texts = workers.next()) {
      for (const std::string& text : *texts) take(text);
    }
    if (damage.empty()) damage = source->damage();
  }
  return damage;
}

/// The measurements of articles after the counting pass.
struct Measured {
  std::vector<int64_t> sentences;
  std::vector<int64_t> bytes;
};

/// Shards to which articles are written in any order.
class ShardFiles {
 public:
  ShardFiles(const std::vector<ShardJob>& jobs, const std::vector<int64_t>& bytes)
      : shard_(bytes.size()), offset_(bytes.size()) {
    for (const ShardJob& job : jobs) {
      int64_t offset = 0;
      for (const int64_t article : *job.articles) {
        shard_[static_cast<size_t>(article)] = static_cast<int32_t>(files_.size());
        offset_[static_cast<size_t>(article)] = offset;
        offset += bytes[static_cast<size_t>(article)];
      }
      files_.push_back(std::make_unique<io::AtomicFile>(job.path));
    }
  }

  void write(size_t article, std::string_view text) {
    const io::AtomicFile& file = *files_[static_cast<size_t>(shard_[article])];
    const int descriptor = ::open(file.temporary_path().c_str(), O_WRONLY | O_CLOEXEC);
    int error = descriptor < 0 ? errno : 0;
    for (int64_t at = offset_[article]; error == 0 && !text.empty();) {
      const ssize_t written = ::pwrite(descriptor, text.data(), text.size(), at);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) error = written < 0 ? errno : EIO;
      at += std::max<ssize_t>(written, 0);
      text.remove_prefix(static_cast<size_t>(std::max<ssize_t>(written, 0)));
    }
    if (descriptor >= 0) ::close(descriptor);
    if (error != 0) fail("{}: cannot write: {}", file.path(), std::strerror(error));
  }
  std::vector<std::string> commit() {
    std::vector<std::string> paths;
    for (const std::unique_ptr<io::AtomicFile>& file : files_) {
      file->commit();
      paths.push_back(file->path());
    }
    return paths;
  }

 private:
  std::vector<std::unique_ptr<io::AtomicFile>> files_;
  std::vector<int32_t> shard_;
  std::vector<int64_t> offset_;
};

Measured measure(const OpenSources& open, int64_t threads) {
  Measured all;
  read_sources(open, threads, [&all](const std::string& text) {
    all.sentences.push_back(std::ranges::count(text, '\n') - 1);
    all.bytes.push_back(static_cast<int64_t>(text.size()));
  });
  return all;
}

/// The counts of the articles, and of the planned shards.
ShardTotals totals_of(const std::vector<int64_t>& sentences, const ShardOptions& options) {
  ShardTotals totals;
  totals.articles = static_cast<int64_t>(sentences.size());
  totals.sentences = std::accumulate(sentences.begin(), sentences.end(), int64_t{0});
  if (totals.articles > 0) {
    totals.shards = fit_shards(options.shards, totals.articles, options.test_fraction);
  }
  return totals;
}

}  // namespace

ShardCounts fit_shards(const ShardCounts& wanted, int64_t articles, double test_fraction) {
  if (articles >= wanted.training + wanted.test) return wanted;
  const auto of_test = static_cast<int64_t>(static_cast<double>(articles) * test_fraction);
  const auto fit = [](int64_t most, int64_t share) {
    return std::clamp<int64_t>(share / kArticlesPerShard, 1, most);
  };
  ShardCounts made;
  made.training = fit(wanted.training, articles - of_test);
  made.test = wanted.test == 0 || articles == 1 ? 0 : fit(wanted.test, of_test);
  return made;
}

ShardPlan plan_shards(std::span<const int64_t> sentences, const ShardCounts& shards,
                      double test_fraction) {
  const auto articles = static_cast<int64_t>(sentences.size());
  BERTHA_CHECK(shards.training >= 1 && shards.training + shards.test <= articles);
  const int64_t total = std::accumulate(sentences.begin(), sentences.end(), int64_t{0});
  const auto for_training = static_cast<int64_t>((1 - test_fraction) * static_cast<double>(total));
  Bins bins(sentences);
  Kind training(shards.training, for_training);
  Kind test(shards.test, total - for_training);
  take_longest(training, bins);
  take_longest(test, bins);
  int64_t left = articles - shards.training - shards.test;
  std::deque<int64_t> history;
  while (left > 0) {
    left -= fill_once(training, bins) + fill_once(test, bins);
    if (history.size() == kHistory) history.pop_front();
    history.push_back(left);
    const bool stuck = std::ranges::all_of(history, [&](int64_t count) { return count == left; });
    if (stuck) ++training.cap;
  }
  return {std::move(training.shards), std::move(test.shards)};
}

ShardTotals write_shards(std::span<const std::string> inputs, const ShardOptions& options) {
  std::vector<io::TextFile> files;
  files.reserve(inputs.size());  // a file that moves would leave the views on its text behind
  for (const std::string& path : inputs) files.emplace_back(path, io::TextFile::Check::kLater);
  int64_t all_bytes = 0;
  for (const io::TextFile& file : files) all_bytes += std::ssize(file.text());
  ProgressCounter done(2 * all_bytes, options.progress);
  const Counted articles = read_articles(files, options.threads, done);
  ShardTotals totals = totals_of(articles.sentences, options);
  if (totals.articles == 0) {
    fail("{}: no sentence: expected one article per line", inputs.empty() ? "no file" : inputs[0]);
  }
  const ShardPlan plan = plan_shards(articles.sentences, totals.shards, options.test_fraction);
  const std::vector<ShardJob> jobs = name_shards(plan, options);
  size_t next = 0;
  OrderedPipeline<ShardJob, WrittenShard> workers(
      options.threads,
      [&] { return next < jobs.size() ? std::optional(jobs[next++]) : std::nullopt; },
      [&](ShardJob&& job) { return write_shard(job, files, articles.places); });
  while (std::optional<WrittenShard> shard = workers.next()) {
    totals.files.push_back(std::move(shard->path));
    done.add(shard->bytes_read);
  }
  return totals;
}

ShardTotals stream_shards(const OpenSources& open, const ShardOptions& options) {
  const Measured articles = measure(open, options.threads);
  ShardTotals totals = totals_of(articles.sentences, options);
  if (totals.articles == 0) fail("{}: no article with a sentence", options.dataset);
  const ShardPlan plan = plan_shards(articles.sentences, totals.shards, options.test_fraction);
  ShardFiles files(name_shards(plan, options), articles.bytes);
  size_t article = 0;
  const auto check_same = [&](bool same) {
    if (!same) fail("{}: the inputs changed while they were read", options.dataset);
  };
  totals.damage = read_sources(open, options.threads, [&](const std::string& text) {
    check_same(article < articles.bytes.size() &&
               articles.bytes[article] == static_cast<int64_t>(text.size()));
    files.write(article++, text);
  });
  check_same(article == articles.bytes.size());
  totals.files = files.commit();
  return totals;
}

}  // namespace bertha::corpus
