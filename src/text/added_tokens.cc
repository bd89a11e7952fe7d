#include "text/added_tokens.h"

#include <algorithm>

#include "text/hf_characters.h"

namespace bertha::text {
namespace {

uint64_t edge(uint32_t node, char32_t code_point) {
  return uint64_t{node} << 32 | code_point;
}

bool stands_alone(std::span<const Letter> letters, const LetterRange& range) {
  const bool joins_left = range.begin > 0 && hf::is_word(letters[range.begin - 1].code_point);
  const bool joins_right = range.end < letters.size() && hf::is_word(letters[range.end].code_point);
  return !joins_left && !joins_right;
}

/// The token's range with the white space that it takes, none of it before `earliest`.
LetterRange with_white_space(std::span<const Letter> letters, LetterRange range,
                             const AddedToken& token, size_t earliest) {
  const auto is_space = [&](size_t i) { return hf::is_white_space(letters[i].code_point); };
  while (token.lstrip && range.begin > earliest && is_space(range.begin - 1)) --range.begin;
  while (token.rstrip && range.end < letters.size() && is_space(range.end)) ++range.end;
  return range;
}

}  // namespace

void AddedTokenMatcher::add(const std::vector<Letter>& content, const AddedToken& token) {
  if (content.empty()) return;
  uint32_t node = 0;
  for (const Letter& letter : content) {
    const auto [child, fresh] =
        children_.try_emplace(edge(node, letter.code_point), static_cast<uint32_t>(tokens_.size()));
    if (fresh) tokens_.push_back(nullptr);
    node = child->second;
  }
  if (tokens_[node] == nullptr) tokens_[node] = &token;
}

AddedTokenMatcher::Match AddedTokenMatcher::match_at(std::span<const Letter> letters,
                                                     size_t begin) const {
  Match match;
  uint32_t node = 0;
  for (size_t i = begin; i < letters.size(); ++i) {
    const auto child = children_.find(edge(node, letters[i].code_point));
    if (child == children_.end()) break;
    node = child->second;
    if (tokens_[node] != nullptr) match = {{begin, i + 1}, tokens_[node]};
  }
  return match;
}

std::vector<AddedTokenMatcher::Segment> AddedTokenMatcher::split(
    std::span<const Letter> letters) const {
  std::vector<Segment> segments;
  size_t done = 0;  // what comes before it is in a segment
  for (size_t at = 0; at < letters.size();) {
    const Match match = match_at(letters, at);
    at = match.token == nullptr ? at + 1 : match.range.end;
    if (match.token == nullptr) continue;
    if (match.token->single_word && !stands_alone(letters, match.range)) continue;
    const LetterRange range = with_white_space(letters, match.range, *match.token, done);
    if (done < range.begin) segments.push_back({{done, range.begin}, nullptr});
    segments.push_back({range, match.token});
    done = range.end;
    at = std::max(at, done);
  }
  if (done < letters.size()) segments.push_back({{done, letters.size()}, nullptr});
  return segments;
}

}  // namespace bertha::text
