#include "text/piece_decoder.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "text/tokenizer_settings.h"

namespace bertha::text {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kClean = {
    {{" .", "."},
     {" ?", "?"},
     {" !", "!"},
     {" ,", ","},
     {" ' ", "'"},
     {" n't", "n't"},
     {" 'm", "'m"},
     {" do not", " don't"},
     {" 's", "'s"},
     {" 've", "'ve"},
     {" 're", "'re"}}};

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

}  // namespace

bool is_special(const Tokenizer& tokenizer, int32_t id) {
  const SpecialIds ids = tokenizer.specials();
  if (id == ids.cls || id == ids.sep || id == ids.pad || id == ids.unk || id == ids.mask) {
    return true;
  }
  return std::ranges::any_of(tokenizer.settings().added_tokens, [&](const AddedToken& token) {
    return token.id == id && token.special;
  });
}

std::string join_pieces(const Tokenizer& tokenizer, std::span<const std::string_view> pieces) {
  const std::string& prefix = tokenizer.settings().continuing_prefix;
  std::string text;
  for (size_t i = 0; i < pieces.size(); ++i) {
    std::string part;
    if (i == 0) {
      part = pieces[i];
    } else if (!prefix.empty() && pieces[i].starts_with(prefix)) {
      part = pieces[i].substr(prefix.size());
    } else {
      part = " " + std::string(pieces[i]);
    }
    for (const auto& [what, by] : kClean) replace_all(part, what, by);
    text += part;
  }
  return text;
}

std::string decode_pieces(const Tokenizer& tokenizer, std::span<const int32_t> ids,
                          bool skip_special_tokens) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  std::vector<std::string_view> pieces;
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocabulary.size()) {
      fail("no token has the id {}; the vocabulary has {} tokens", id, vocabulary.size());
    }
    if (skip_special_tokens && is_special(tokenizer, id)) continue;
    pieces.push_back(vocabulary.piece(id));
  }
  return join_pieces(tokenizer, pieces);
}

}  // namespace bertha::text
