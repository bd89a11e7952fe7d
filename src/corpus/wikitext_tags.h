#pragma once

// Tags of wikitext: those of HTML that MediaWiki allows, and those of its extensions.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bertha::corpus {

enum class ElementKind : uint8_t {
  kInline,     ///< the tags are removed, the content stays
  kBlock,      ///< the tags end a line of text
  kBreak,      ///< <br>
  kTable,      ///< <table>
  kTablePart,  ///< rows and cells
  kNowiki,     ///< the content is no markup
  kFormula,    ///< the content is a formula
  kDropped,    ///< the content is not prose
};

struct Element {
  std::string_view name;
  ElementKind kind;
};

/// The number of elements that find_element() knows.
extern const size_t kElementCount;

/// The number of the element with this name in lower case, or nothing for an unknown one.
std::optional<size_t> find_element(std::string_view name);
Element element(size_t number);

struct Tag {
  size_t number = 0;  ///< of its element
  ElementKind kind = ElementKind::kInline;
  bool closes = false;    ///< </name>
  bool is_whole = false;  ///< <name />
  size_t end = 0;         ///< one past its >
};

/// Reads tags of one text from front to back. All calls together take linear time.
class TagReader {
 public:
  explicit TagReader(std::string_view text) : text_(text) {}

  /// The tag that begins at `at`, a `<`. Nothing when it is the tag of no known element. A tag
  /// without `>` ends after its name. In a value in quotes a `>` does not end the tag.
  std::optional<Tag> read(size_t at);

  /// One past the `>` of "</name>" from `from` on and where that tag begins, or nothing. Ignores
  /// the case of ASCII letters.
  struct CloseTag {
    size_t begin = 0;
    size_t end = 0;
  };
  std::optional<CloseTag> find_close(std::string_view name, size_t from) const;

 private:
  std::optional<size_t> end_of_open_tag(size_t at, size_t name_end);
  std::optional<size_t> end_of_close_tag(size_t name_end, ElementKind kind) const;
  std::optional<size_t> end_of_value(size_t begin, size_t limit) const;

  std::string_view text_;
  size_t next_end_ = 0;  ///< the next '>', npos when there is none
};

}  // namespace bertha::corpus
