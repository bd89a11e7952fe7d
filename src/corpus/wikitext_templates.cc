#include "corpus/wikitext_templates.h"

#include <algorithm>

#include "corpus/site.h"
#include "corpus/template_arguments.h"
#include "corpus/template_dates.h"
#include "corpus/template_units.h"
#include "corpus/wikitext.h"

namespace bertha::corpus {
namespace {

constexpr size_t kMaxNameBytes = 60;
constexpr auto kNone = std::string_view::npos;

/// "A (漢, kan)".
std::string nihongo_text(const TemplateArguments& arguments) {
  std::string inner(arguments.at(2));
  if (!arguments.at(3).empty()) inner.append(inner.empty() ? "" : ", ").append(arguments.at(3));
  if (arguments.at(1).empty()) return inner;
  std::string text(arguments.at(1));
  return inner.empty() ? text : text.append(" (").append(inner).append(")");
}

std::string scripts_text(const TemplateArguments& arguments) {
  std::string text;
  for (const auto& [key, value] : arguments.all_named()) {
    if (key == "labels" || key == "links" || key == "first" || value.empty()) continue;
    if (!text.empty()) text += "; ";
    text += value;
  }
  return text.empty() ? std::string(arguments.at(1)) : text;
}

/// "{{lang-de|Text}}" shows "German: Text". The text alone where the language has no name.
std::string labelled_text(std::string_view code, std::string_view text, bool has_label,
                          const WikiLanguage* language) {
  const std::string_view name =
      language == nullptr || !has_label ? std::string_view() : find_word(language->languages, code);
  if (name.empty()) return std::string(text);
  std::string labelled(language->label);
  labelled.replace(labelled.find("{1}"), 3, name);
  return labelled.replace(labelled.find("{2}"), 3, text);
}

bool has_label(const TemplateArguments& arguments) {
  return arguments.named("label") != "none" && arguments.named("label") != "no";
}

/// Names of Cyrillic templates begin with a letter of either case: "Дата" becomes "дата".
std::string with_small_letter(std::string name) {
  if (name.size() < 2 || static_cast<uint8_t>(name[0]) != 0xD0) return name;
  const auto second = static_cast<uint8_t>(name[1]);
  if (second >= 0x90 && second <= 0x9F) name[1] = static_cast<char>(second + 0x20);
  if (second >= 0xA0 && second <= 0xAF) {
    name[0] = static_cast<char>(0xD1);
    name[1] = static_cast<char>(second - 0x20);
  }
  return name;
}

/// "1/2", the name of a template for that fraction.
bool is_fraction(std::string_view name) {
  const size_t slash = name.find('/');
  return slash != 0 && slash != kNone && slash + 1 < name.size() &&
         name.find_first_not_of("0123456789") == slash &&
         name.find_first_not_of("0123456789", slash + 1) == kNone;
}

/// Where the name of a template ends and its arguments begin.
struct Call {
  std::string_view name;
  std::string_view arguments;
};

Call split_call(std::string_view content) {
  const size_t end = std::min(content.find(kSeparator), content.size());
  const std::string_view head = content.substr(0, end);
  // "{{formatnum:1234}}": a parser function. Its first argument follows a colon.
  if (const size_t colon = head.find(':'); colon != kNone) {
    return {head.substr(0, colon), content.substr(colon + 1)};
  }
  return {head, content.substr(std::min(end + 1, content.size()))};
}

}  // namespace

std::string TemplateRenderer::apply(const TemplateRule& rule, std::string_view content) const {
  if (rule.action == TemplateAction::kLiteral) return std::string(rule.pattern);
  const TemplateArguments arguments(content);
  switch (rule.action) {
    case TemplateAction::kLiteral:
      break;
    case TemplateAction::kText:
      return fill_pattern(rule.pattern, arguments);
    case TemplateAction::kLast:
      return std::string(arguments.last());
    case TemplateAction::kJoin:
      return arguments.joined("");
    case TemplateAction::kWords:
      return arguments.joined(" ");
    case TemplateAction::kList:
      return arguments.joined(", ");
    case TemplateAction::kDate:
      return date_text(arguments, DateOrder::kYearFirst, language_);
    case TemplateAction::kDateDmy:
      return date_text(arguments, DateOrder::kDayFirst, language_);
    case TemplateAction::kDateText:
      return date_text(arguments, DateOrder::kText, language_);
    case TemplateAction::kAsOf:
      return as_of_text(arguments, language_);
    case TemplateAction::kAge:
      return age_text(arguments);
    case TemplateAction::kMeasure:
      return measure_text(arguments, language_, rule.pattern == "short");
    case TemplateAction::kHeight:
      return height_text(arguments);
    case TemplateAction::kDuration:
      return duration_text(arguments);
    case TemplateAction::kFraction:
      return fraction_text(arguments);
    case TemplateAction::kOrdinal:
      return ordinal_text(arguments);
    case TemplateAction::kValue:
      return value_text(arguments);
    case TemplateAction::kNihongo:
      return nihongo_text(arguments);
    case TemplateAction::kScripts:
      return scripts_text(arguments);
    case TemplateAction::kLabelled:
      return labelled_text(arguments.at(1), arguments.at(2), has_label(arguments), language_);
  }
  return {};
}

std::string TemplateRenderer::render(std::string_view content, std::string_view title) const {
  const Call call = split_call(content);
  if (call.name.size() > kMaxNameBytes) return {};
  const std::string name = with_small_letter(normalized_name(call.name));
  if (name == "pagename" || name == "fullpagename" || name == "subpagename") {
    return std::string(title.substr(0, content.size() + kMaxNameBytes));
  }
  if (const TemplateRule* const rule = rules_.find(name)) return apply(*rule, call.arguments);
  if (name.starts_with("lang-") && name.size() < 12) {
    const TemplateArguments arguments(call.arguments);
    return labelled_text(std::string_view(name).substr(5), arguments.at(1), has_label(arguments),
                         language_);
  }
  return is_fraction(name) ? name : std::string();
}

}  // namespace bertha::corpus
