// Tokens of texts and texts of tokens, which need no lane.

#include "serve/prepared_request.h"
#include "serve/request_checks.h"
#include "serve/text_places.h"
#include "text/model_input.h"
#include "text/piece_decoder.h"
#include "text/tokenizer_settings.h"

namespace bertha::serve {
namespace {

std::string prompt_of(const ServedModel& model, const std::optional<std::string>& name) {
  if (!name || name->empty()) return "";
  const auto found = model.info().prompts.find(*name);
  if (found == model.info().prompts.end()) {
    refuse(ErrorKind::kInvalid, "prompt_name", "the model has no prompt of this name");
  }
  return found->second;
}

TokenPlace token_of(const text::Tokenizer& tokenizer, int32_t id) {
  return {.id = id, .piece = std::string(tokenizer.vocabulary().piece(id))};
}

/// The tokens of a text, with the template's special tokens around them where they are wanted.
std::vector<TokenPlace> places_of(const text::Tokenizer& tokenizer, const std::string& text,
                                  const TokenizeRequest& request) {
  using Kind = text::TemplatePart::Kind;
  std::vector<int32_t> ids;
  std::vector<text::TokenOffset> offsets;
  tokenizer.encode(text, ids, offsets);
  TextPlaces begins(text, request.offsets);
  TextPlaces ends(text, request.offsets);
  std::vector<TokenPlace> places;
  for (const text::TemplatePart& part : tokenizer.settings().sequence.single) {
    if (part.kind == Kind::kSpecial && request.special_tokens) {
      for (const int32_t id : part.ids) {
        places.push_back(token_of(tokenizer, id));
        places.back().special = true;
      }
    }
    if (part.kind != Kind::kFirst) continue;
    for (size_t i = 0; i < ids.size(); ++i) {
      places.push_back(token_of(tokenizer, ids[i]));
      places.back().begin = begins.place(offsets[i].begin);
      places.back().end = ends.place(offsets[i].end);
    }
  }
  return places;
}

}  // namespace

TokenizeResult tokenize(const ServedModel& model, const TokenizeRequest& request) {
  const std::string prompt = prompt_of(model, request.prompt_name);
  TokenizeResult result;
  for (const std::string& text : request.texts) {
    result.texts.push_back(places_of(model.hub_tokenizer(), prompt + text, request));
  }
  return result;
}

DecodeResult decode(const ServedModel& model, const DecodeRequest& request) {
  DecodeResult result;
  for (const std::vector<int32_t>& ids : request.ids) {
    result.texts.push_back(checked("ids", [&] {
      return text::decode_pieces(model.hub_tokenizer(), ids, request.skip_special_tokens);
    }));
  }
  return result;
}

}  // namespace bertha::serve
