#include "prepare/pipeline_settings.h"

#include "core/error.h"
#include "corpus/wikitext.h"
#include "dataset/instances.h"
#include "prepare/pack_stage.h"
#include "text/unicode.h"

namespace bertha::prepare {

void check_settings(const PipelineSettings& settings) {
  const std::string& dataset = settings.dataset;
  const bool is_corpus = dataset == kWiki || dataset == kBooks || dataset == kBoth;
  if (!is_corpus && settings.action != "download") {
    fail("--dataset {}: expected {}, {} or {}", dataset, kWiki, kBooks, kBoth);
  }
  text::parse_token_rules(settings.token_rules);
  corpus::parse_list_items(settings.lists);
  dataset::check_options({.max_seq_length = settings.max_seq_length.value_or(512),
                          .max_predictions_per_seq = settings.max_predictions,
                          .dupe_factor = settings.dupe_factor,
                          .masked_lm_prob = settings.masked_lm_prob});
  check_options(dataset::PackOptions{.sequences_per_row = settings.sequences_per_pack});
}

}  // namespace bertha::prepare
