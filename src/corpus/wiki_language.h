#pragma once

// The words that templates put into a text, by the language of the wiki. Templates with words are
// rendered in the wikis that have a table here, and dropped in the others.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bertha::corpus {

struct WikiLanguage {
  std::string_view code;
  std::array<std::string_view, 12> months;        ///< as they stand after a day
  std::array<std::string_view, 12> months_alone;  ///< before a year; empty: as after a day
  std::string_view date;                          ///< "{1} {2} {3}": day, month, year
  std::string_view month_date;                    ///< month and year
  std::string_view first_day;                     ///< "1er"; empty: 1
  std::string_view label;       ///< "{1}: {2}": name of a language and a text in it
  std::string_view languages;   ///< ";en=englisch;fr=französisch;"
  std::string_view units;       ///< ";mi=Meilen;", after a number
  std::string_view unit_space;  ///< between number and unit
};

/// The words of a wiki's language, or nullptr.
const WikiLanguage* find_wiki_language(std::string_view code);

/// The word after ";key=" in `words`, or empty.
std::string_view find_word(std::string_view words, std::string_view key);

}  // namespace bertha::corpus
