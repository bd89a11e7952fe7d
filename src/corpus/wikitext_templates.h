#pragma once

// Templates that carry text within a sentence. Templates are not expanded from the dump: it may not
// contain them, and most of them make boxes.

#include <string>
#include <string_view>

#include "corpus/template_rules.h"
#include "corpus/wiki_language.h"

namespace bertha::corpus {

/// Renders the templates of one wiki. `language`: the code of its language. A template that puts
/// words into the text gives words of that language, or nothing.
class TemplateRenderer {
 public:
  explicit TemplateRenderer(std::string_view language)
      : rules_(language), language_(find_wiki_language(language)) {}

  /// The text of a template, or "" for an unknown one. `content` is the text between the braces,
  /// with arguments separated by kSeparator. The result is at most a few bytes longer than
  /// `content`.
  std::string render(std::string_view content, std::string_view title) const;

 private:
  std::string apply(const TemplateRule& rule, std::string_view arguments) const;

  TemplateRules rules_;
  const WikiLanguage* language_;
};

}  // namespace bertha::corpus
