#pragma once

// Measures in templates: numbers with a unit in the language of the wiki.

#include <string>
#include <string_view>

#include "corpus/template_arguments.h"
#include "corpus/wiki_language.h"

namespace bertha::corpus {

/// "{{convert|5|to|10|mi|km}}": the numbers and the first unit, as a symbol when `short_units`.
/// English units are words: "5 miles", "1 mile", "5-mile" as an adjective. Empty when the unit has
/// no word in the language of the wiki and no symbol that all languages share.
std::string measure_text(const TemplateArguments& arguments, const WikiLanguage* language,
                         bool short_units);

/// "6 ft 2 in" or "1.88 m", of {{height|ft=6|in=2}} or {{height|m=1.88}}.
std::string height_text(const TemplateArguments& arguments);

/// "1:02:03", of {{duration|1|2|3}}, {{duration|h=1|m=2|s=3}} or {{duration|1:02:03}}.
std::string duration_text(const TemplateArguments& arguments);

/// "1/2", "2 1/2", of {{frac|1|2}}, {{frac|2|1|2}}; "1/2" of {{frac|2}}.
std::string fraction_text(const TemplateArguments& arguments);

/// "5th".
std::string ordinal_text(const TemplateArguments& arguments);

/// The number, its exponent and its unit, of {{val|5|e=3|u=m}}.
std::string value_text(const TemplateArguments& arguments);

}  // namespace bertha::corpus
