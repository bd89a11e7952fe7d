#pragma once

// How templates that carry text are rendered, by the language of the wiki. Names are normalized
// (site.h).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bertha::corpus {

enum class TemplateAction : uint8_t {
  kLiteral,   ///< the pattern as it is
  kText,      ///< the pattern, filled with the arguments (template_arguments.h)
  kLast,      ///< the last argument
  kJoin,      ///< all arguments, end to end
  kWords,     ///< all arguments, separated by spaces
  kList,      ///< all arguments, separated by commas
  kDate,      ///< year, month, day
  kDateDmy,   ///< day, month, year
  kDateText,  ///< a date as text
  kAsOf,      ///< as of a date
  kAge,       ///< years between two dates
  kMeasure,   ///< number and unit; pattern "short": with symbols
  kHeight,
  kDuration,
  kFraction,
  kOrdinal,
  kValue,     ///< number, exponent, unit
  kNihongo,   ///< English (kanji, romaji)
  kScripts,   ///< {{zh|c=…|p=…}}: the scripts
  kLabelled,  ///< {{langx|fr|text}}: the name of the language and the text
};

struct TemplateRule {
  TemplateAction action;
  std::string_view pattern;
};

/// The rules of one wiki: those of all wikis, and those of its language. Templates that put words
/// of a language into the text are rules of that language alone.
class TemplateRules {
 public:
  explicit TemplateRules(std::string_view language);
  /// nullptr for an unknown template.
  const TemplateRule* find(std::string_view name) const;

 private:
  size_t table_ = 0;  ///< 0: the rules of all wikis alone
};

}  // namespace bertha::corpus
