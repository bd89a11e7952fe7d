#include "infer/embed.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/parallel_for.h"
#include "core/strings.h"
#include "ops/convert.h"
#include "ops/copy.h"
#include "text/tokenizer_settings.h"

namespace bertha::infer {
namespace {

/// The least number of tokens of a text: the special tokens, or one token.
int64_t shortest(const Model& model, const EmbedSettings& settings) {
  const int64_t special = model.tokenizer().settings().sequence.special_tokens(false);
  if (special > settings.max_tokens) {
    fail("the tokenizer adds {} special tokens to a text, which may have {} tokens", special,
         settings.max_tokens);
  }
  return std::max<int64_t>(special, 1);
}

/// The prompt that stands before each text.
std::string prompt_of(const SentenceModules& modules, const EmbedChoice& choice) {
  if (choice.prompt) return *choice.prompt;
  const std::string name = choice.prompt_name.value_or(modules.default_prompt_name);
  if (name.empty()) return "";
  const auto found = modules.prompts.find(name);
  if (found != modules.prompts.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, prompt] : modules.prompts) names.push_back(known);
  fail("the model has no prompt \"{}\"; its prompts: {}", name,
       names.empty() ? "none" : join(names, ", "));
}

/// The folder's layers without Normalize, or with one at the end.
std::vector<SentenceLayer> layers_of(const SentenceModules& modules, const EmbedChoice& choice) {
  std::vector<SentenceLayer> layers = modules.layers;
  if (!choice.normalize) return layers;
  std::erase_if(
      layers, [](const SentenceLayer& layer) { return std::holds_alternative<UnitLength>(layer); });
  if (*choice.normalize) layers.emplace_back(UnitLength());
  return layers;
}

/// The tokens of the prompt that stand before a text's own.
int64_t prompt_tokens(const text::Tokenizer& tokenizer, const EmbedSettings& settings) {
  if (settings.prompt.empty()) return 0;
  const text::ModelInput alone =
      text::model_input(tokenizer, settings.prompt, std::nullopt, settings.max_tokens);
  const int64_t count = std::ssize(alone.ids);
  const bool ends_special = count > 0 && alone.offsets.back() == text::TokenOffset{};
  return ends_special ? count - 1 : count;
}

const EmbedSettings& checked(const EmbedSettings& settings, const bert::Config& config) {
  BERTHA_CHECK(settings.max_tokens >= 1 && settings.max_tokens <= config.max_tokens() &&
               settings.batch_tokens >= settings.max_tokens && !settings.pooling.empty());
  vector_size(settings, config);  // the layers must fit each other
  return settings;
}

}  // namespace

int64_t vector_size(const EmbedSettings& settings, const bert::Config& config) {
  return output_size(settings.layers, config.hidden_size * std::ssize(settings.pooling));
}

EmbedSettings embed_settings(const ModelDefinition& model,
                             const std::optional<SentenceModules>& modules,
                             const EmbedChoice& choice) {
  constexpr int64_t kUsualBatch = 4096;
  constexpr int64_t kMostBatch = 1 << 20;
  const SentenceModules plain = {.pooling = {Pooling::kMean}, .layers = {UnitLength()}};
  const SentenceModules& said = modules ? *modules : plain;
  const int64_t most = model.config().max_tokens();
  const int64_t usual = said.max_tokens ? std::min(*said.max_tokens, most)
                                        : text::allowed_tokens(model.tokenizer(), most);
  EmbedSettings settings;
  settings.pooling = choice.pooling.empty() ? said.pooling : choice.pooling;
  settings.layers = layers_of(said, choice);
  settings.prompt = prompt_of(said, choice);
  settings.include_prompt = said.include_prompt;
  settings.max_tokens = choice.max_tokens == 0 ? usual : choice.max_tokens;
  if (settings.max_tokens < 2 || settings.max_tokens > most) {
    fail("--max-seq-length {}: expected 2 to the model's {}", choice.max_tokens, most);
  }
  settings.batch_tokens =
      choice.batch_tokens == 0 ? std::max(kUsualBatch, settings.max_tokens) : choice.batch_tokens;
  if (settings.batch_tokens < settings.max_tokens || settings.batch_tokens > kMostBatch) {
    fail("--batch-tokens {}: expected {} (one text) to {}", choice.batch_tokens,
         settings.max_tokens, kMostBatch);
  }
  return settings;
}

void EmbedTask::EncoderPass::run(Context& context, const PassInputs& inputs, Out result) {
  encoder_.forward(context, inputs.encoder, bert::Keep::kNothing, saved_);
  if (saved_.y.dtype() != DType::kF32) {
    ops::convert(context, {.from = saved_.y, .to = result});
  } else {
    ops::copy(context, {.from = saved_.y, .to = result});
  }
}

EmbedTask::EmbedTask(const Model& model, const EmbedSettings& settings)
    : tokenizer_(model.tokenizer()),
      hidden_size_(model.config().hidden_size),
      settings_(checked(settings, model.config())),
      skipped_(settings_.include_prompt ? 0 : prompt_tokens(tokenizer_, settings_)),
      pass_(model),
      predictor_(model.device(), model.parameters().compute_dtype(), pass_,
                 {.tokens = settings.batch_tokens,
                  .sequences = settings.batch_tokens / shortest(model, settings)}) {}

std::vector<text::ModelInput> EmbedTask::tokenize(std::span<const EmbedRequest> requests) const {
  std::vector<text::ModelInput> inputs(requests.size());
  parallel_for(std::ssize(requests), 16, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    const std::string text = settings_.prompt + std::string(requests[at].text);
    inputs[at] = text::model_input(tokenizer_, text, std::nullopt, settings_.max_tokens);
    if (inputs[at].ids.empty()) fail("text {} has no token", i + 1);
  });
  return inputs;
}

std::vector<EmbedResult> EmbedTask::run(std::span<const EmbedRequest> requests) {
  const std::vector<text::ModelInput> tokens = tokenize(requests);
  std::vector<EmbedResult> results(requests.size());
  const int64_t special = tokenizer_.settings().sequence.special_tokens(false);
  for (size_t i = 0; i < tokens.size(); ++i) {
    results[i].cut = tokens[i].cut;
    results[i].unknown.add(tokens[i].ids, tokenizer_.specials().unk);
    results[i].unknown.tokens -= special;
  }
  std::vector<size_t> order(tokens.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return tokens[a].ids.size() > tokens[b].ids.size(); });
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    int64_t total = 0;
    const auto length = [&](size_t member) { return std::ssize(tokens[order[member]].ids); };
    while (end < order.size() && total + length(end) <= settings_.batch_tokens) {
      total += length(end++);
    }
    run_batch(tokens, std::span(order).subspan(begin, end - begin), results);
    begin = end;
  }
  return results;
}

void EmbedTask::run_batch(const std::vector<text::ModelInput>& inputs,
                          std::span<const size_t> members, std::vector<EmbedResult>& results) {
  batch_.clear();
  for (const size_t member : members) {
    const auto& [ids, segments, offsets, cut] = inputs[member];
    batch_.ids.insert(batch_.ids.end(), ids.begin(), ids.end());
    batch_.segments.insert(batch_.segments.end(), segments.begin(), segments.end());
    for (size_t i = 0; i < ids.size(); ++i) batch_.positions.push_back(static_cast<int32_t>(i));
    batch_.seq_start.push_back(static_cast<int32_t>(batch_.ids.size()));
  }
  const std::span<const float> hidden = predictor_.run(batch_);
  for (size_t i = 0; i < members.size(); ++i) {
    const auto begin = static_cast<size_t>(batch_.seq_start[i] * hidden_size_);
    const auto end = static_cast<size_t>(batch_.seq_start[i + 1] * hidden_size_);
    const int64_t tokens = batch_.seq_start[i + 1] - batch_.seq_start[i];
    const int64_t skipped = std::min(skipped_, tokens - 1);
    results[members[i]].vector = apply_layers(
        settings_.layers,
        pool(hidden.subspan(begin, end - begin), hidden_size_, settings_.pooling, skipped));
  }
}

}  // namespace bertha::infer
