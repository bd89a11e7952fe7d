#include "tasks/squad/squad_features.h"

#include <spdlog/spdlog.h>

#include <cstdio>

#include "cli/options.h"
#include "cli/squad_tools.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "infer/model.h"

namespace bertha::cli {
namespace {

using tasks::SquadFeatures;
using tasks::SquadWindow;

/// "[1, 2]" or "{\"1\": …}" of `count` entries that `entry` writes.
template <typename Entry>
void append_entries(fmt::memory_buffer& line, int64_t count, const Entry& entry) {
  for (int64_t i = 0; i < count; ++i) {
    if (i > 0) line.append(std::string_view(", "));
    entry(fmt::appender(line), i);
  }
}

void print_window(const SquadFeatures& features, const SquadWindow& window, bool training,
                  fmt::memory_buffer& line) {
  const auto append = [&line](std::string_view text) { line.append(text); };
  const int64_t offset = features.passage_offset(window);
  const tasks::SquadPassage& passage = features.passage_of(window);
  RaggedBatch batch;
  batch.clear();
  features.append(window, batch);
  line.clear();
  const auto index = static_cast<int64_t>(&window - features.windows().data());
  fmt::format_to(fmt::appender(line),
                 "{{\"example_index\": {}, \"doc_span_index\": {}, \"input_ids\": [",
                 window.example, index - features.example_of(window).first_window);
  append_entries(line, batch.tokens(), [&](auto out, int64_t i) {
    fmt::format_to(out, "{}", batch.ids[static_cast<size_t>(i)]);
  });
  append("], \"segment_ids\": [");
  append_entries(line, batch.tokens(), [&](auto out, int64_t i) {
    fmt::format_to(out, "{}", batch.segments[static_cast<size_t>(i)]);
  });
  append("], \"token_to_orig_map\": {");
  append_entries(line, window.length, [&](auto out, int64_t i) {
    fmt::format_to(out, "\"{}\": {}", offset + i,
                   passage.word_of_token[static_cast<size_t>(window.begin + i)]);
  });
  append("}, \"token_is_max_context\": {");
  append_entries(line, window.length, [&](auto out, int64_t i) {
    fmt::format_to(out, "\"{}\": {}", offset + i, features.is_max_context(window, offset + i));
  });
  append("}");
  if (training) {
    fmt::format_to(fmt::appender(line), ", \"start_position\": {}, \"end_position\": {}",
                   window.start_position, window.end_position);
  }
  append("}\n");
}

}  // namespace

int run_squad_features(Arguments arguments) {
  std::vector<std::string> files;
  std::string vocab_file;
  std::string rules = "recipe";
  bool lower_case = false;
  tasks::SquadFeatureOptions o;
  Options table(
      "bertha squad features",
      "Writes the model inputs of a SQuAD file as JSON, one line for each window, to look at and "
      "compare. Where neither the tokenizer's files nor the vocabulary's capital letters say it, "
      "text keeps its case unless --do-lower-case is given, as in the recipe.");
  table.example("bertha squad features dev-v1.1.json --vocab-file=vocab.txt --do-lower-case",
                "One JSON object for each window of a SQuAD file");
  table.positional("FILE...", files, 1, "a SQuAD file", ValueKind::kFile);
  table.file("vocab_file", vocab_file, "vocab.txt, tokenizer.json, or a folder with one of them");
  table.required();
  table.flag("do_lower_case", lower_case, "the vocabulary is uncased");
  table.flag("training", o.training, "write the positions of the answers too");
  table.flag("version_2_with_negative", o.version_2, "questions may have no answer");
  table.value("max_seq_length", o.max_seq_length, "maximum number of tokens in a window");
  table.value("doc_stride", o.doc_stride, "number of tokens between the starts of two windows");
  table.value("max_query_length", o.max_query_length, "maximum number of tokens in a question");
  table.choice("token-rules", rules, {"recipe", "hf"}, "rules for rare characters");
  table.parse(arguments);
  o.threads = thread_count();
  const infer::ModelFiles model = {.vocabulary = vocab_file,
                                   .lower_case = lower_case ? std::optional(true) : std::nullopt,
                                   .lower_case_otherwise = false,
                                   .rules = text::parse_token_rules(rules)};
  const text::TokenizerFile tokenizer_file = infer::read_tokenizer(model);
  const text::Tokenizer tokenizer(tokenizer_file.vocabulary,
                                  infer::tokenizer_options(model, tokenizer_file));
  for (const std::string& path : files) {
    const tasks::SquadFile file = tasks::read_squad(path);
    const SquadFeatures features(file, tokenizer, o);
    for (const std::string& line : file.problems.lines()) spdlog::warn("{}: {}", path, line);
    for (const std::string& line : features.problems().lines()) spdlog::warn("{}: {}", path, line);
    spdlog::info("{}: {}", path, features.unknown().text(tokenizer));
    const std::string warning = features.unknown().warning(tokenizer, path);
    if (!warning.empty()) spdlog::warn("{}", warning);
    spdlog::info("{}: {} questions, {} windows", path, features.examples().size(),
                 features.windows().size());
    fmt::memory_buffer line;
    for (const SquadWindow& window : features.windows()) {
      print_window(features, window, o.training, line);
      std::fwrite(line.data(), 1, line.size(), stdout);
    }
  }
  if (std::fflush(stdout) != 0) fail("standard output: cannot be written");
  return 0;
}

}  // namespace bertha::cli
