#pragma once

// Dates in templates, written in the language of the wiki.

#include <string>
#include <string_view>

#include "corpus/template_arguments.h"
#include "corpus/wiki_language.h"

namespace bertha::corpus {

/// How the arguments of a template give a date.
enum class DateOrder : uint8_t {
  kYearFirst,  ///< {{birth date|1950|3|4}}
  kDayFirst,   ///< {{date|4|mars|1950}}
  kText,       ///< {{date|March 4, 1950|mdy}}
};

/// "March 4, 1950" in English, or "4 March 1950" with df=y or dmy; in other languages as they write
/// dates. Months may be numbers or names. Empty when a month has no name because `language` is
/// nullptr; a year alone is given. Text that is no date is given as it is, in a wiki with a table.
std::string date_text(const TemplateArguments& arguments, DateOrder order,
                      const WikiLanguage* language);

/// "As of March 2010": with the date of the arguments. Empty when there is none.
std::string as_of_text(const TemplateArguments& arguments, const WikiLanguage* language);

/// The years between two dates, year first: {{age|1950|1|1|2000|1|1}}. Empty with one date, which
/// would need today's.
std::string age_text(const TemplateArguments& arguments);

}  // namespace bertha::corpus
