#pragma once

// The arguments of a template in wikitext.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bertha::corpus {

/// Views into the text of the template, without blanks at both ends. At most 64 are read.
class TemplateArguments {
 public:
  /// `content`: the arguments, separated by kSeparator.
  explicit TemplateArguments(std::string_view content);

  /// The unnamed argument with this number, from 1, or empty.
  std::string_view at(size_t number) const;
  /// The number of unnamed arguments.
  size_t size() const { return positional_.size(); }
  std::string_view named(std::string_view name) const;
  /// Whether a named argument is given and says yes: "y", "yes", "on", "1".
  bool is_set(std::string_view name) const;
  /// The last unnamed argument that is not empty, or empty.
  std::string_view last() const;
  /// All unnamed arguments that are not empty.
  std::string joined(std::string_view between) const;
  const std::vector<std::pair<std::string_view, std::string_view>>& all_named() const {
    return named_;
  }

 private:
  void add(std::string_view part);

  std::vector<std::string_view> positional_;
  std::vector<std::pair<std::string_view, std::string_view>> named_;
};

/// Fills a pattern: "{1}" is an unnamed argument, "{name}" a named one, "{2/1}" the first that is
/// not empty, "{2/=e}" the letter e when there is none, "{~2}" nothing for a dash. A group in
/// brackets is left out when an argument in it is empty: "c. {1}[ – c. {2}]".
std::string fill_pattern(std::string_view pattern, const TemplateArguments& arguments);

}  // namespace bertha::corpus
