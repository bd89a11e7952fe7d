#include "infer/fill.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "text/tokenizer_settings.h"

namespace bertha::infer {
namespace {

constexpr int64_t kMostRows = 64;  // of a batch of several texts: a row has a logit for each piece

struct Scored {
  int32_t id = 0;
  double probability = 0;
};

/// The most probable of `logits` after a softmax.
std::vector<Scored> best_of(std::span<const float> logits, int64_t top) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = std::min<int64_t>(top, std::ssize(order));
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int32_t a, int32_t b) {
    const float left = logits[static_cast<size_t>(a)];
    const float right = logits[static_cast<size_t>(b)];
    return left > right || (left == right && a < b);
  });
  const double largest = double{logits[static_cast<size_t>(order[0])]};
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  std::vector<Scored> best;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t id = order[static_cast<size_t>(i)];
    best.push_back({id, std::exp(double{logits[static_cast<size_t>(id)]} - largest) / sum});
  }
  return best;
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

FillTask::FillTask(const Model& model, const FillSettings& settings)
    : tokenizer_(model.tokenizer()),
      max_tokens_(model.config().max_tokens()),
      padded_vocabulary_(model.config().vocab_size),
      settings_({std::max(settings.batch_tokens, max_tokens_)}),
      pass_(model),
      predictor_(model.device(), model.parameters().compute_dtype(), pass_,
                 {.tokens = settings_.batch_tokens,
                  .sequences = std::max<int64_t>(settings_.batch_tokens / shortest(model), 1),
                  .rows = std::max(kMostRows, max_tokens_)}) {}

text::ModelInput FillTask::tokenize(std::string_view text) const {
  text::ModelInput input = text::model_input(tokenizer_, text, std::nullopt, INT32_MAX);
  if (std::ssize(input.ids) > max_tokens_) {
    fail("the sentence has {} tokens, the model takes {}", input.ids.size(), max_tokens_);
  }
  if (std::ranges::count(input.ids, tokenizer_.specials().mask) == 0) {
    fail("no {} in \"{}\"", tokenizer_.settings().names.mask, text);
  }
  return input;
}

void FillTask::add(const text::ModelInput& input, Batch& batch) const {
  const std::vector<int32_t>& ids = input.ids;
  const int32_t mask = tokenizer_.specials().mask;
  const auto rows_before = std::ssize(batch.rows);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == mask) batch.rows.push_back(static_cast<int32_t>(batch.tokens.ids.size()));
    batch.tokens.ids.push_back(ids[i]);
    batch.tokens.segments.push_back(input.segments[i]);
    batch.tokens.positions.push_back(static_cast<int32_t>(i));
  }
  batch.tokens.seq_start.push_back(static_cast<int32_t>(batch.tokens.ids.size()));
  batch.masks_of_member.push_back(std::ssize(batch.rows) - rows_before);
}

std::vector<FillResult> FillTask::run(std::span<const FillRequest> requests) {
  const int32_t mask = tokenizer_.specials().mask;
  std::vector<text::ModelInput> tokens;
  for (const FillRequest& request : requests) tokens.push_back(tokenize(request.text));
  std::vector<FillResult> results(requests.size());
  for (size_t begin = 0; begin < tokens.size();) {
    Batch batch;
    batch.tokens.clear();
    size_t end = begin;
    for (; end < tokens.size(); ++end) {
      const int64_t size = batch.tokens.tokens() + std::ssize(tokens[end].ids);
      const int64_t rows = std::ssize(batch.rows) + std::ranges::count(tokens[end].ids, mask);
      if (end > begin && (size > settings_.batch_tokens || rows > kMostRows)) break;
      add(tokens[end], batch);
    }
    finish(requests.subspan(begin, end - begin), batch,
           std::span(results).subspan(begin, end - begin));
    begin = end;
  }
  return results;
}

void FillTask::finish(std::span<const FillRequest> requests, const Batch& batch,
                      std::span<FillResult> results) {
  const text::Vocabulary& vocabulary = tokenizer_.vocabulary();
  std::span<const float> logits = predictor_.run(batch.tokens, batch.rows);
  for (size_t member = 0; member < requests.size(); ++member) {
    size_t next = 0;
    for (int64_t i = 0; i < batch.masks_of_member[member]; ++i) {
      const size_t from = next;
      std::vector<FillCandidate>& candidates = results[member].masks.emplace_back();
      // The rows past the vocabulary pad the table.
      const auto row = logits.first(static_cast<size_t>(vocabulary.size()));
      for (const Scored& scored : best_of(row, requests[member].top)) {
        next = from;
        const std::string_view piece = vocabulary.piece(scored.id);
        candidates.push_back(
            {.id = scored.id,
             .piece = piece,
             .probability = scored.probability,
             .filled = replace_mask(requests[member].text, piece, tokenizer_.settings(), next)});
      }
      logits = logits.subspan(static_cast<size_t>(padded_vocabulary_));
    }
  }
}

}  // namespace bertha::infer
