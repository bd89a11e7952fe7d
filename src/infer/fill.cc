#include "infer/fill.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "text/model_input.h"
#include "text/tokenizer_settings.h"

namespace bertha::infer {
namespace {

struct Scored {
  int32_t id = 0;
  double probability = 0;
};

/// The most probable of `order`, pieces of a vocabulary, after a softmax over all `logits`.
std::vector<Scored> best_of(std::span<const float> logits, std::vector<int32_t> order,
                            int64_t top) {
  const auto count = std::min<int64_t>(top, std::ssize(order));
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int32_t a, int32_t b) {
    const float left = logits[static_cast<size_t>(a)];
    const float right = logits[static_cast<size_t>(b)];
    return left > right || (left == right && a < b);
  });
  const double largest = double{*std::ranges::max_element(logits)};
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  std::vector<Scored> best;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t id = order[static_cast<size_t>(i)];
    best.push_back({id, std::exp(double{logits[static_cast<size_t>(id)]} - largest) / sum});
  }
  return best;
}

std::vector<int32_t> all_pieces(int64_t count) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

/// The text with its next [MASK] from `from` on replaced; moves `from` past it.
std::string replace_mask(std::string_view text, std::string_view piece,
                         const text::TokenizerSettings& settings, size_t& from) {
  const std::string& mask = settings.names.mask;
  const std::string& prefix = settings.continuing_prefix;
  const size_t at = text.find(mask, from);
  if (at == std::string_view::npos) return std::string(text);
  from = at + mask.size();
  std::string filled(text.substr(0, at));
  filled += piece.starts_with(prefix) ? piece.substr(prefix.size()) : piece;
  filled += text.substr(from);
  return filled;
}

/// The tokens of a text that is [MASK] alone.
int64_t shortest(const Model& model) {
  return model.tokenizer().settings().sequence.special_tokens(false) + 1;
}

}  // namespace

FillJob::FillJob(std::span<const FillRequest> requests, const text::Tokenizer& tokenizer,
                 int64_t max_tokens, std::vector<int32_t> targets)
    : requests_(requests.begin(), requests.end()),
      tokenizer_(tokenizer),
      targets_(std::move(targets)),
      results_(requests.size()) {
  if (targets_.empty()) targets_ = all_pieces(tokenizer.vocabulary().size());
  tokens_.clear();
  for (const FillRequest& request : requests_) add(request.text, max_tokens);
}

void FillJob::add(std::string_view text, int64_t max_tokens) {
  const text::ModelInput input = text::model_input(tokenizer_, text, std::nullopt, INT32_MAX);
  if (std::ssize(input.ids) > max_tokens) {
    fail("the sentence has {} tokens, the model takes {}", input.ids.size(), max_tokens);
  }
  const int32_t mask = tokenizer_.specials().mask;
  std::vector<int32_t>& masks = masks_.emplace_back();
  for (size_t i = 0; i < input.ids.size(); ++i) {
    if (input.ids[i] == mask) masks.push_back(static_cast<int32_t>(i));
  }
  if (masks.empty()) fail("no {} in \"{}\"", tokenizer_.settings().names.mask, text);
  text::append(input, tokens_);
}

WindowSize FillJob::size(int64_t window) const {
  return {.tokens = sequence_length(tokens_, window),
          .rows = std::ssize(masks_[static_cast<size_t>(window)])};
}

void FillJob::append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const {
  const auto begin = static_cast<int32_t>(batch.tokens());
  for (const int32_t mask : masks_[static_cast<size_t>(window)]) rows.push_back(begin + mask);
  append_sequence(tokens_, window, batch);
}

std::span<const int32_t> FillJob::ids(int64_t request) const {
  const auto begin = static_cast<size_t>(tokens_.seq_start[static_cast<size_t>(request)]);
  return std::span(tokens_.ids)
      .subspan(begin, static_cast<size_t>(sequence_length(tokens_, request)));
}

void FillJob::take(int64_t window, std::span<const float> result) {
  const auto at = static_cast<size_t>(window);
  const text::Vocabulary& vocabulary = tokenizer_.vocabulary();
  const size_t width = result.size() / masks_[at].size();
  FillResult filled;
  size_t next = 0;
  for (size_t mask = 0; mask < masks_[at].size(); ++mask) {
    const size_t from = next;
    std::vector<FillCandidate>& candidates = filled.masks.emplace_back();
    // The logits past the vocabulary pad the table.
    const auto row = result.subspan(mask * width, static_cast<size_t>(vocabulary.size()));
    for (const Scored& scored : best_of(row, targets_, requests_[at].top)) {
      next = from;
      const std::string_view piece = vocabulary.piece(scored.id);
      candidates.push_back(
          {.id = scored.id,
           .piece = piece,
           .probability = scored.probability,
           .filled = replace_mask(requests_[at].text, piece, tokenizer_.settings(), next)});
    }
  }
  results_[at] = std::move(filled);
}

FillTask::FillTask(const Model& model, const FillSettings& settings)
    : tokenizer_(model.tokenizer()),
      max_tokens_(model.config().max_tokens()),
      settings_({std::max(settings.batch_tokens, max_tokens_)}),
      runner_(model, Purpose::kFill,
              {.tokens = settings_.batch_tokens,
               .sequences = std::max<int64_t>(settings_.batch_tokens / shortest(model), 1),
               .rows = std::max(kFillRows, max_tokens_)}) {}

std::vector<FillResult> FillTask::run(std::span<const FillRequest> requests) {
  FillJob job(requests, tokenizer_, max_tokens_);
  const BatchRoom room = {
      .tokens = settings_.batch_tokens, .windows = INT64_MAX, .rows = kFillRows};
  runner_.run(batches_of(job, room, WindowOrder::kAsTheyAre), comm::alone());
  return std::move(job.results());
}

}  // namespace bertha::infer
