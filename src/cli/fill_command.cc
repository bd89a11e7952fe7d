#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "bert/pretraining.h"
#include "bert/weights.h"
#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "core/error.h"
#include "infer/predictor.h"
#include "text/tokenizer.h"

namespace bertha::cli {
namespace {

struct FillOptions {
  ModelChoice model;
  int64_t top = 5;
  std::vector<std::string> sentences;
  DeviceChoice device;
};

struct Candidate {
  int32_t id = 0;
  double probability = 0;
};

/// The most probable of `logits` after a softmax.
std::vector<Candidate> best_of(std::span<const float> logits, int64_t top) {
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
  std::vector<Candidate> best;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t id = order[static_cast<size_t>(i)];
    best.push_back({id, std::exp(double{logits[static_cast<size_t>(id)]} - largest) / sum});
  }
  return best;
}

/// [CLS] sentence [SEP] as a batch of one.
RaggedBatch batch_of(const std::string& sentence, const text::Tokenizer& tokenizer,
                     int64_t max_tokens) {
  const text::SpecialIds special = tokenizer.vocabulary().specials();
  RaggedBatch batch;
  batch.ids.push_back(special.cls);
  tokenizer.encode(sentence, batch.ids);
  batch.ids.push_back(special.sep);
  if (batch.tokens() > max_tokens) {
    fail("the sentence has {} tokens, the model takes {}", batch.tokens(), max_tokens);
  }
  batch.segments.assign(batch.ids.size(), 0);
  batch.positions.resize(batch.ids.size());
  std::iota(batch.positions.begin(), batch.positions.end(), 0);
  batch.seq_start = {0, static_cast<int32_t>(batch.ids.size())};
  if (std::count(batch.ids.begin(), batch.ids.end(), special.mask) == 0) {
    fail("no [MASK] in \"{}\"", sentence);
  }
  return batch;
}

/// A model ready to fill masks in.
class Filler {
 public:
  Filler(const FillOptions& options, const text::Vocabulary& vocabulary, Device& device)
      : device_(device),
        config_(options.model.config().padded()),
        parameters_(device, config_, bert::Heads::for_pretraining(),
                    options.device.bf16(device) ? DType::kBF16 : DType::kF32, false),
        model_(config_, parameters_),
        predictor_(device, {config_.max_position_embeddings, 1, 1}),
        vocabulary_(vocabulary) {
    check_vocabulary(vocabulary, config_);
    for (const std::string& line :
         bert::load_weights(options.model.checkpoint, parameters_, {.config = config_}).lines()) {
      spdlog::info("{}", line);
    }
  }

  int64_t max_tokens() const { return config_.max_position_embeddings; }

  /// Candidates of each [MASK], in order.
  std::vector<std::vector<Candidate>> fill(const RaggedBatch& batch, int64_t top) {
    std::vector<int32_t> rows;
    for (size_t i = 0; i < batch.ids.size(); ++i) {
      if (batch.ids[i] == vocabulary_.specials().mask) rows.push_back(static_cast<int32_t>(i));
    }
    const std::vector<float> logits = logits_of(batch, rows);
    std::vector<std::vector<Candidate>> result;
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::span<const float> row(logits.data() + static_cast<int64_t>(i) * config_.vocab_size,
                                       static_cast<size_t>(vocabulary_.size()));
      result.push_back(best_of(row, top));
    }
    return result;
  }

 private:
  std::vector<float> logits_of(const RaggedBatch& batch, const std::vector<int32_t>& rows) {
    const auto masks = static_cast<int64_t>(rows.size());
    std::vector<float> values(static_cast<size_t>(masks * config_.vocab_size));
    predictor_.run(batch, [&](Context& context, const bert::EncoderInputs& inputs) {
      const Tensor row_ids = context.make({masks}, DType::kI32);
      const Tensor logits = context.make({masks, config_.vocab_size}, DType::kF32);
      if (!context.dry()) device_.write(out(row_ids), rows.data());
      model_.masked_logits(context, inputs, row_ids, out(logits));
      if (!context.dry()) device_.read(logits, values.data());
    });
    return values;
  }

  Device& device_;
  bert::Config config_;
  bert::ParameterStore parameters_;
  bert::PretrainingModel model_;
  infer::Predictor predictor_;
  const text::Vocabulary& vocabulary_;
};

/// The sentence with its next [MASK] from `from` on replaced; moves `from` past it.
std::string replace_mask(const std::string& sentence, std::string_view word, size_t& from) {
  constexpr std::string_view kMask = "[MASK]";
  const size_t at = sentence.find(kMask, from);
  if (at == std::string::npos) return sentence;
  from = at + kMask.size();
  const bool continues = word.starts_with("##");
  return sentence.substr(0, at) + std::string(continues ? word.substr(2) : word) +
         sentence.substr(from);
}

void print(const std::string& sentence, const std::vector<std::vector<Candidate>>& masks,
           const text::Vocabulary& vocabulary) {
  fmt::print("{}\n", sentence);
  size_t next = 0;
  for (const auto& candidates : masks) {
    const size_t from = next;
    for (const Candidate& candidate : candidates) {
      next = from;
      const std::string_view word = vocabulary.piece(candidate.id);
      fmt::print("  {:6.3f}  {:<14}  {}\n", candidate.probability, word,
                 replace_mask(sentence, word, next));
    }
  }
}

}  // namespace

int run_fill(Arguments arguments) {
  FillOptions o;
  Options table("bertha fill",
                "Predicts the [MASK] of a sentence: the most probable words, each with its "
                "probability and the sentence filled in. Several [MASK] are predicted "
                "independently.");
  table.positional("SENTENCE...", o.sentences, 1, "text with at least one [MASK]");
  o.model.declare(table, "weights with a masked language model head");
  table.value("top", o.top, "words shown for each [MASK]");
  o.device.declare(table);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  if (o.top < 1) fail("--top {}: expected at least 1", o.top);
  const text::TokenizerFile file = o.model.tokenizer();
  const text::Vocabulary& vocabulary = file.vocabulary;
  const text::Tokenizer tokenizer(vocabulary, o.model.rules(file));
  const std::unique_ptr<Device> device = o.device.open();
  Filler filler(o, vocabulary, *device);
  for (const std::string& sentence : o.sentences) {
    const RaggedBatch batch = batch_of(sentence, tokenizer, filler.max_tokens());
    print(sentence, filler.fill(batch, o.top), vocabulary);
  }
  return 0;
}

}  // namespace bertha::cli
