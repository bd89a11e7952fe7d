#include "infer/tag.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "tasks/tagging/spans.h"

namespace bertha::infer {
namespace {

const TagSettings& checked(const TagSettings& settings, const bert::Config& config) {
  BERTHA_CHECK(settings.max_tokens > 0 && settings.max_tokens <= config.max_tokens() &&
               settings.batch_windows > 0);
  return settings;
}

/// The softmax of the largest logit.
double largest_probability(std::span<const float> logits, int64_t best) {
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(double{logit} - double{logits[static_cast<size_t>(best)]});
  }
  return 1 / sum;
}

}  // namespace

TagJob::TagJob(std::span<const tasks::WordTokens> sentences, const tasks::TagWindows& cutter,
               const TagSettings& settings) {
  tokens_.clear();
  for (const tasks::WordTokens& sentence : sentences) {
    const size_t first = windows_.size();
    cutter.cut(sentence, static_cast<int32_t>(results_.size()), windows_);
    for (size_t i = first; i < windows_.size(); ++i) {
      places_.push_back(cutter.append(sentence, windows_[i], tokens_));
    }
    const auto words = static_cast<size_t>(sentence.words());
    results_.push_back({.labels = std::vector<int64_t>(words, settings.no_entity),
                        .probabilities = std::vector<double>(words, 0)});
  }
}

void TagJob::take(int64_t window, std::span<const float> result) {
  const auto at = static_cast<size_t>(window);
  const size_t classes = result.size() / static_cast<size_t>(sequence_length(tokens_, window));
  TagResult& to = results_[static_cast<size_t>(windows_[at].sentence)];
  auto word = static_cast<size_t>(windows_[at].first);
  for (const int32_t place : places_[at]) {
    if (place >= 0) {
      const auto token = static_cast<size_t>(place - tokens_.seq_start[at]);
      const std::span<const float> logits = result.subspan(token * classes, classes);
      const int64_t best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      to.labels[word] = best;
      to.probabilities[word] = largest_probability(logits, best);
    }
    ++word;
  }
}

TagTask::TagTask(const Model& model, const TagSettings& settings)
    : settings_(checked(settings, model.config())),
      cutter_(model.tokenizer(), settings.max_tokens),
      runner_(model, Purpose::kTag,
              {.tokens = settings.batch_windows * settings.max_tokens,
               .sequences = settings.batch_windows}) {}

std::vector<TagResult> TagTask::run(std::span<const tasks::WordTokens> sentences,
                                    comm::Communicator& world, const RunControls& controls) {
  TagJob job(sentences, cutter_, settings_);
  const BatchRoom room = {.tokens = INT64_MAX, .windows = settings_.batch_windows};
  runner_.run(batches_of(job, room, WindowOrder::kAsTheyAre), world, controls);
  if (!world.leads()) return {};
  return std::move(job.results());
}

std::vector<TagEntity> entities_of(const TagResult& result,
                                   std::span<const text::TokenOffset> places,
                                   std::span<const std::string> names) {
  BERTHA_CHECK(result.labels.size() == places.size());
  tasks::Labels labels;
  for (const int64_t label : result.labels) labels.push_back(names[static_cast<size_t>(label)]);
  std::vector<TagEntity> entities;
  for (const tasks::Span& span : tasks::find_spans(labels)) {
    const auto begin = static_cast<size_t>(span.begin);
    const auto end = static_cast<size_t>(span.end);
    double sum = 0;
    for (size_t word = begin; word < end; ++word) sum += result.probabilities[word];
    entities.push_back({.type = span.type,
                        .probability = sum / static_cast<double>(end - begin),
                        .begin = places[begin].begin,
                        .end = places[end - 1].end});
  }
  return entities;
}

}  // namespace bertha::infer
