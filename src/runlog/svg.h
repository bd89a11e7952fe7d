#pragma once

// A picture as one SVG file that any browser shows.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace bertha::runlog {

/// The text as XML and HTML show it, in elements and in attributes. XML forbids control characters:
/// blanks take their places.
std::string escaped(std::string_view text);

/// A place or a size in pixels. x grows to the right, y downwards.
struct Pixels {
  double x = 0;
  double y = 0;
};

/// A path through points, joined by straight lines.
class SvgPath {
 public:
  SvgPath& line_to(Pixels point);
  /// Joins the last point to the first.
  SvgPath& close();
  const std::string& data() const { return data_; }

 private:
  std::string data_;
};

/// Writes the elements of a picture, one a line. Coordinates have one decimal. Names and values of
/// attributes are written in the order given; values and texts may hold any character.
class Svg {
 public:
  using Attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// A white picture; `attributes` hold for all of its elements. `style` is a CSS style sheet.
  explicit Svg(Pixels size, Attributes attributes = {}, std::string_view title = "",
               std::string_view style = "");

  void line(Pixels from, Pixels to, Attributes attributes);
  void rectangle(Pixels corner, Pixels size, Attributes attributes);
  void circle(Pixels center, double radius, Attributes attributes);
  void path(const SvgPath& path, Attributes attributes);
  void text(Pixels at, std::string_view text, Attributes attributes = {});
  /// A text that reads upwards.
  void upright_text(Pixels at, std::string_view text, Attributes attributes = {});

  /// The whole file.
  std::string str() const { return elements_ + "</svg>\n"; }

 private:
  std::string elements_;
};

}  // namespace bertha::runlog
