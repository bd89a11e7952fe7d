#include "infer/embed.h"

#include <algorithm>

#include "core/error.h"
#include "core/parallel_for.h"
#include "core/strings.h"
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

/// The folder's layers, or with the choice's number of elements, then Normalize or none, at the
/// end.
std::vector<SentenceLayer> layers_of(const SentenceModules& modules, const EmbedChoice& choice) {
  std::vector<SentenceLayer> layers = modules.layers;
  if (!choice.normalize && !choice.dimensions) return layers;
  const auto scaled = std::erase_if(
      layers, [](const SentenceLayer& layer) { return std::holds_alternative<UnitLength>(layer); });
  if (choice.dimensions) layers.emplace_back(FirstElements{*choice.dimensions});
  if (choice.normalize.value_or(scaled > 0)) layers.emplace_back(UnitLength());
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

EmbedJob::EmbedJob(std::span<const EmbedRequest> requests, const text::Tokenizer& tokenizer,
                   std::shared_ptr<const EmbedSettings> settings, bool parallel)
    : tokenizer_(tokenizer),
      settings_(std::move(settings)),
      skipped_(settings_->include_prompt ? 0 : prompt_tokens(tokenizer_, *settings_)),
      results_(requests.size()) {
  constexpr int64_t kGrain = 16;
  const int64_t count = std::ssize(requests);
  std::vector<text::ModelInput> inputs(requests.size());
  parallel_for(count, parallel ? kGrain : count, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    inputs[at] = tokenize(requests[at]);
    if (inputs[at].ids.empty()) fail("text {} has no token", i + 1);
  });
  const int64_t special = tokenizer_.settings().sequence.special_tokens(false);
  const int32_t unknown = tokenizer_.specials().unk;
  tokens_.clear();
  for (size_t i = 0; i < inputs.size(); ++i) {
    text::append(inputs[i], tokens_);
    results_[i].tokens = std::ssize(inputs[i].ids);
    results_[i].cut = inputs[i].cut;
    results_[i].unknown.add(inputs[i].ids, unknown);
    results_[i].unknown.tokens -= special;
  }
}

text::ModelInput EmbedJob::tokenize(const EmbedRequest& request) const {
  const EmbedSettings& settings = *settings_;
  if (request.ids) {
    return text::fitted_input(tokenizer_, {.ids = {request.ids->begin(), request.ids->end()}},
                              std::nullopt, settings.max_tokens, settings.cut_left);
  }
  const std::string text = settings.prompt + std::string(request.text);
  return text::model_input(tokenizer_, text, std::nullopt, settings.max_tokens, settings.cut_left);
}

void EmbedJob::take(int64_t window, std::span<const float> result) {
  EmbedResult& to = results_[static_cast<size_t>(window)];
  if (settings_->all_tokens) {
    to.vector.assign(result.begin(), result.end());
    return;
  }
  const int64_t hidden_size = std::ssize(result) / to.tokens;
  const int64_t skipped = std::min(skipped_, to.tokens - 1);
  to.vector =
      apply_layers(settings_->layers, pool(result, hidden_size, settings_->pooling, skipped));
}

EmbedTask::EmbedTask(const Model& model, const EmbedSettings& settings)
    : tokenizer_(model.tokenizer()),
      settings_(std::make_shared<EmbedSettings>(checked(settings, model.config()))),
      runner_(model, Purpose::kEmbed,
              {.tokens = settings.batch_tokens,
               .sequences = settings.batch_tokens / shortest(model, settings)}) {}

std::vector<EmbedResult> EmbedTask::run(std::span<const EmbedRequest> requests) {
  EmbedJob job(requests, tokenizer_, settings_, true);
  const BatchRoom room = {.tokens = settings_->batch_tokens, .windows = INT64_MAX};
  runner_.run(batches_of(job, room, WindowOrder::kLongestFirst), comm::alone());
  return std::move(job.results());
}

}  // namespace bertha::infer
