#include "text/unknown_share.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/casing.h"
#include "text/tokenizer_settings.h"

namespace bertha::text {
namespace {

/// Why words are unknown: a vocabulary of the other case, or of another language.
std::string cause(const Tokenizer& tokenizer) {
  const std::optional<bool> shown = lower_case_of(tokenizer.vocabulary());
  const bool lower = tokenizer.options().lower_case;
  if (shown && *shown != lower) {
    return lower ? "the text becomes lower case, but the vocabulary has capital letters"
                 : "the text keeps its capital letters, but the vocabulary has none";
  }
  return "the vocabulary may be of another language or script";
}

}  // namespace

void UnknownShare::add(std::span<const int32_t> ids, int32_t unknown_id) {
  tokens += std::ssize(ids);
  unknown += std::ranges::count(ids, unknown_id);
}

UnknownShare& UnknownShare::operator+=(const UnknownShare& other) {
  tokens += other.tokens;
  unknown += other.unknown;
  return *this;
}

double UnknownShare::share() const {
  return tokens == 0 ? 0 : static_cast<double>(unknown) / static_cast<double>(tokens);
}

std::string UnknownShare::text(const Tokenizer& tokenizer) const {
  return fmt::format("{} of {} tokens ({:.2f} %) are {}", unknown, tokens, 100 * share(),
                     tokenizer.settings().names.unk);
}

std::string UnknownShare::warning(const Tokenizer& tokenizer, const std::string& source) const {
  if (share() <= kSuspect) return "";
  return fmt::format("{}: {:.0f} % of the tokens are {}; is {} the right vocabulary? {}", source,
                     100 * share(), tokenizer.settings().names.unk, tokenizer.vocabulary().name(),
                     cause(tokenizer));
}

}  // namespace bertha::text
