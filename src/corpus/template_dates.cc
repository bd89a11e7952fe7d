#include "corpus/template_dates.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "core/strings.h"

namespace bertha::corpus {
namespace {

struct Date {
  int year = 0;
  int month = 0;
  int day = 0;
};

/// The digits at the front of `text` as a number, or 0.
int leading_number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::max(number, 0);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

int find_month(const std::array<std::string_view, 12>& months, const std::string& name) {
  for (size_t i = 0; i < months.size(); ++i) {
    if (!months[i].empty() && lower_ascii(months[i]) == name) return static_cast<int>(i) + 1;
  }
  return 0;
}

/// The number of a month by its name in English, in full or three letters, or in the language of
/// the wiki.
int month_number(std::string_view text, const WikiLanguage* language) {
  if (is_number(text)) return leading_number(text) <= 12 ? leading_number(text) : 0;
  std::string name = lower_ascii(text);
  if (name.ends_with('.')) name.pop_back();
  if (language != nullptr) {
    if (const int month = find_month(language->months, name); month > 0) return month;
    if (const int month = find_month(language->months_alone, name); month > 0) return month;
  }
  const std::array<std::string_view, 12>& english = find_wiki_language("en")->months;
  for (size_t i = 0; i < english.size(); ++i) {
    const std::string full = lower_ascii(english[i]);
    if (name == full || name == full.substr(0, 3)) return static_cast<int>(i) + 1;
  }
  return 0;
}

/// Puts one word of a date into `date`. False when it is none.
bool take_word(std::string_view word, const WikiLanguage* language, Date& date) {
  const int number = leading_number(word);
  if (number > 31 && is_number(word) && date.year == 0) {
    date.year = number;
  } else if (number > 0 && number <= 31 && word.size() <= 4 && date.day == 0) {
    date.day = number;
  } else if (number == 0 && date.month == 0) {
    date.month = month_number(word, language);
    return date.month > 0;
  } else {
    return false;
  }
  return true;
}

/// "2018-06-08".
bool parse_iso(std::string_view text, Date& date) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  date = {leading_number(text), leading_number(text.substr(5)), leading_number(text.substr(8))};
  return date.year > 0 && date.month >= 1 && date.month <= 12 && date.day <= 31;
}

/// "June 8, 2018", "8 June 2018", "June 2018".
bool parse_text(std::string_view text, const WikiLanguage* language, Date& date) {
  if (parse_iso(text, date)) return true;
  date = {};
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" ,"), text.size());
    if (end > 0 && !take_word(text.substr(0, end), language, date)) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return date.year > 0 && (date.month > 0 || date.day == 0);
}

/// Replaces "{1}", "{2}", "{3}".
std::string filled(std::string_view pattern, std::string_view day, std::string_view month,
                   std::string_view year) {
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') {
      text.push_back(pattern[i]);
      continue;
    }
    text += pattern[i + 1] == '1' ? day : pattern[i + 1] == '2' ? month : year;
    i += 2;
  }
  return text;
}

std::string format_date(const Date& date, const WikiLanguage* language, bool month_first) {
  const std::string year = date.year > 0 ? std::to_string(date.year) : std::string();
  if (date.month == 0) return year;
  if (language == nullptr) return {};
  const auto index = static_cast<size_t>(date.month - 1);
  const std::string_view month = language->months[index];
  if (date.day == 0) {
    const std::string_view alone = language->months_alone[index];
    return filled(language->month_date, "", alone.empty() ? month : alone, year);
  }
  const bool is_first = date.day == 1 && !language->first_day.empty();
  const std::string day = is_first ? std::string(language->first_day) : std::to_string(date.day);
  if (!month_first) return filled(language->date, day, month, year);
  return filled(year.empty() ? "{2} {1}" : "{2} {1}, {3}", day, month, year);
}

Date date_of_parts(std::string_view year, std::string_view month, std::string_view day,
                   const WikiLanguage* language) {
  Date date{leading_number(year), month_number(month, language), leading_number(day)};
  if (date.day > 31) date.day = 0;
  return date;
}

/// English alone writes the month first; df=y or "dmy" asks for the day first.
bool writes_month_first(const TemplateArguments& arguments, const WikiLanguage* language,
                        bool usual) {
  if (language == nullptr || language->code != "en") return false;
  const std::string format = lower_ascii(arguments.named("df"));
  if (arguments.is_set("mf") || format == "us" || format == "mdy") return true;
  if (!format.empty() && format != "n" && format != "no") return false;
  return usual;
}

/// A date that is one argument. As it is written, unless it is an ISO date or `arguments` ask for a
/// form.
std::string written_date(const TemplateArguments& arguments, DateOrder order,
                         const WikiLanguage* language) {
  const std::string_view text = arguments.at(1);
  Date date;
  const bool is_iso = parse_iso(text, date);
  if (!is_iso && (order != DateOrder::kText || !parse_text(text, language, date))) {
    return std::string(text);
  }
  const bool month_first = arguments.at(2) == "mdy" ||
                           writes_month_first(arguments, language, order == DateOrder::kYearFirst);
  return format_date(date, language, month_first);
}

}  // namespace

std::string date_text(const TemplateArguments& arguments, DateOrder order,
                      const WikiLanguage* language) {
  const std::string_view first = arguments.at(1);
  const bool is_parted = arguments.size() > 1 && order != DateOrder::kText;
  if (!is_parted || !std::isdigit(static_cast<unsigned char>(first.empty() ? 'x' : first[0]))) {
    return written_date(arguments, order, language);
  }
  const bool month_first = writes_month_first(arguments, language, order == DateOrder::kYearFirst);
  const Date date = order == DateOrder::kYearFirst
                        ? date_of_parts(first, arguments.at(2), arguments.at(3), language)
                        : date_of_parts(arguments.at(3), arguments.at(2), first, language);
  return format_date(date, language, month_first);
}

std::string as_of_text(const TemplateArguments& arguments, const WikiLanguage* language) {
  const std::string_view alternative = arguments.named("alt");
  if (!alternative.empty()) return std::string(alternative);
  const Date date = date_of_parts(arguments.at(1), arguments.at(2), arguments.at(3), language);
  std::string text = format_date(date, language, writes_month_first(arguments, language, false));
  if (date.year == 0) text = arguments.at(1);
  if (text.empty()) return {};
  const bool since = arguments.is_set("since");
  std::string words = since ? "Since " : "As of ";
  if (!arguments.named("lc").empty()) words.front() = lower_ascii(words.front());
  return words.append(text).append(arguments.named("post"));
}

std::string age_text(const TemplateArguments& arguments) {
  std::array<int, 6> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!is_number(arguments.at(i + 1))) return {};
    numbers[i] = leading_number(arguments.at(i + 1));
  }
  const bool before_birthday =
      std::make_pair(numbers[4], numbers[5]) < std::make_pair(numbers[1], numbers[2]);
  const int years = numbers[3] - numbers[0] - (before_birthday ? 1 : 0);
  return years < 0 ? std::string() : std::to_string(years);
}

}  // namespace bertha::corpus
