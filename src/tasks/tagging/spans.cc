#include "tasks/tagging/spans.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "core/error.h"
#include "core/utf8.h"

namespace bertha::tasks {
namespace {

/// A label as seqeval reads it: its first character, and what follows the first "-" behind that.
struct Tag {
  char32_t prefix = U'O';
  std::string_view type = "_";
};

Tag tag_of(std::string_view label) {
  const Decoded first = decode_utf8(label.data(), label.data() + label.size());
  std::string_view rest = label.substr(static_cast<size_t>(first.length));
  if (const size_t dash = rest.find('-'); dash != rest.npos) rest.remove_prefix(dash + 1);
  return {first.code_point, rest.empty() ? "_" : rest};
}

bool is_one_of(char32_t prefix, std::u32string_view set) {
  return set.find(prefix) != set.npos;
}

bool ends(const Tag& before, const Tag& tag) {
  if (is_one_of(before.prefix, U"ES")) return true;
  if (is_one_of(before.prefix, U"BI") && is_one_of(tag.prefix, U"BSO")) return true;
  return !is_one_of(before.prefix, U"O.") && before.type != tag.type;
}

bool starts(const Tag& before, const Tag& tag) {
  if (is_one_of(tag.prefix, U"BS")) return true;
  if (is_one_of(before.prefix, U"ESO") && is_one_of(tag.prefix, U"EI")) return true;
  return !is_one_of(tag.prefix, U"O.") && before.type != tag.type;
}

/// The labels of all sentences, an O behind each.
Labels joined(std::span<const Labels> sentences) {
  Labels all;
  for (const Labels& labels : sentences) {
    all.insert(all.end(), labels.begin(), labels.end());
    all.emplace_back("O");
  }
  return all;
}

double accuracy_of(std::span<const Labels> truth, std::span<const Labels> predicted) {
  double right = 0;
  double words = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    BERTHA_CHECK(truth[i].size() == predicted[i].size());
    for (size_t w = 0; w < truth[i].size(); ++w) right += truth[i][w] == predicted[i][w] ? 1 : 0;
    words += static_cast<double>(truth[i].size());
  }
  return words == 0 ? 0 : right / words;
}

}  // namespace

std::vector<Span> find_spans(std::span<const std::string> labels) {
  std::vector<Span> spans;
  Tag before = {U'O', ""};
  int64_t begin = 0;
  const int64_t count = std::ssize(labels);
  for (int64_t i = 0; i <= count; ++i) {
    const Tag tag = i < count ? tag_of(labels[static_cast<size_t>(i)]) : Tag();
    if (ends(before, tag)) spans.push_back({std::string(before.type), begin, i});
    if (starts(before, tag)) begin = i;
    before = tag;
  }
  return spans;
}

SpanScores score_spans(std::span<const Labels> truth, std::span<const Labels> predicted) {
  BERTHA_CHECK(truth.size() == predicted.size());
  const double accuracy = accuracy_of(truth, predicted);
  const std::vector<Span> true_list = find_spans(joined(truth));
  const std::vector<Span> predicted_list = find_spans(joined(predicted));
  const std::set<Span> true_spans(true_list.begin(), true_list.end());
  const std::set<Span> predicted_spans(predicted_list.begin(), predicted_list.end());
  std::map<std::string, HitCounts> types;
  for (const Span& span : true_spans) ++types[span.type].truth;
  for (const Span& span : predicted_spans) {
    HitCounts& counts = types[span.type];
    ++counts.predicted;
    counts.right += true_spans.contains(span) ? 1 : 0;
  }
  SpanScores scores;
  scores.accuracy = accuracy;
  for (auto& [type, counts] : types) {
    counts.name = type;
    scores.all.add(counts);
    scores.types.push_back(counts);
  }
  return scores;
}

}  // namespace bertha::tasks
